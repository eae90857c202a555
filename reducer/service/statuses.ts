/** Which gRPC status the reducer's codes travel as; docs/errors.md says what each means. */
import { type StatusTable, status } from "../../lib/transport/status-table.ts";

/** Rows of the reducer's own codes. */
export const STATUSES: StatusTable = {
  "malformed-address": status.INVALID_ARGUMENT,
  "malformed-partial": status.INVALID_ARGUMENT,
  "unknown-member": status.PERMISSION_DENIED,
  "unknown-session": status.NOT_FOUND,
  "unknown-model": status.NOT_FOUND,
  "unknown-package": status.NOT_FOUND,
  "no-combiner": status.UNAVAILABLE,
  "name-taken": status.ALREADY_EXISTS,
};
