import { CodedError } from "../../lib/base/refusal.ts";

/** What stops a client from starting, or a visit from going on; rows in docs/errors.md. */
export class ClientError extends CodedError<
  | "data-unreadable"
  | "sandbox-unavailable"
  | "homes-clash"
  | "wrong-assignment"
  | "malformed-task"
  | "reports-not-taken"
  | "trainer-crashed"
  | "all-refused"
> {}
