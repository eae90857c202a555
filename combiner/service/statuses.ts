/** Which gRPC status the combiner's codes travel as; docs/errors.md says what each means. */
import { type StatusTable, status } from "../../lib/transport/status-table.ts";

/** Rows of the combiner's own codes. */
export const STATUSES: StatusTable = {
  "hello-missing": status.INVALID_ARGUMENT,
  "wrong-subject": status.INVALID_ARGUMENT,
  "unknown-model": status.NOT_FOUND,
  "wrong-federation": status.PERMISSION_DENIED,
  "wrong-member": status.PERMISSION_DENIED,
  "bad-signature": status.PERMISSION_DENIED,
  "not-leased": status.PERMISSION_DENIED,
  "duplicate-update": status.ALREADY_EXISTS,
  "upload-in-progress": status.ALREADY_EXISTS,
  replaced: status.ABORTED,
  "not-reading": status.RESOURCE_EXHAUSTED,
  "too-many-messages": status.RESOURCE_EXHAUSTED,
  "too-many-clients": status.RESOURCE_EXHAUSTED,
};
