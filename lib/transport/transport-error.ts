import { CodedError } from "../base/refusal.ts";

/** What can go wrong between two processes; rows in docs/errors.md. A peer's refusal is a RefusedError instead. */
export class TransportError extends CodedError<
  | "bad-address"
  | "cannot-listen"
  | "unreachable"
  | "handshake-failed"
  | "wrong-protocol"
  | "no-certificate"
  | "wrong-peer"
  | "role-not-served"
  | "too-many-connections"
  | "closed"
  | "timeout"
  | "malformed-message"
  | "unexpected-message"
  | "wrong-content"
  | "failed"
> {}
