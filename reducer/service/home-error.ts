import { CodedError } from "../../lib/base/refusal.ts";

/** A home that cannot be used; the message says what to do. */
export class HomeError extends CodedError<
  | "no-manifest"
  | "manifest-changed"
  | "authority-lost"
  | "ledger-lost"
  | "descriptor-lost"
  | "reducer-key-lost"
  | "key-exposed"
  | "reducer-not-accepted"
> {}
