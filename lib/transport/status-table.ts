/** Which gRPC status a code travels as. The code itself, with what was seen and wanted, is in the trailer. */
import { status } from "@grpc/grpc-js";

/** For the tables of roles, which do not import grpc-js. */
export { status };

export type StatusTable = { readonly [code: string]: status };

/** Codes of the transport itself and of fields that many messages share. A role adds its own rows; a refusal without a row is FAILED_PRECONDITION. */
export const TRANSPORT_STATUSES: StatusTable = {
  "malformed-message": status.INVALID_ARGUMENT,
  "missing-message": status.INVALID_ARGUMENT,
  "unexpected-message": status.INVALID_ARGUMENT,
  "malformed-round-key": status.INVALID_ARGUMENT,
  "malformed-name": status.INVALID_ARGUMENT,
  "malformed-digest": status.INVALID_ARGUMENT,
  "malformed-number": status.INVALID_ARGUMENT,
  "malformed-metric": status.INVALID_ARGUMENT,
  "malformed-hyperparameter": status.INVALID_ARGUMENT,
  "malformed-report": status.INVALID_ARGUMENT,
  "malformed-update-header": status.INVALID_ARGUMENT,
  "unknown-version": status.INVALID_ARGUMENT,
  "chunk-before-grant": status.INVALID_ARGUMENT,
  "empty-chunk": status.INVALID_ARGUMENT,
  "chunk-too-large": status.INVALID_ARGUMENT,
  overrun: status.INVALID_ARGUMENT,
  truncated: status.INVALID_ARGUMENT,
  "digest-mismatch": status.DATA_LOSS,
  "offset-out-of-range": status.OUT_OF_RANGE,
  "caller-not-allowed": status.PERMISSION_DENIED,
  "certificate-expired": status.UNAUTHENTICATED,
  busy: status.RESOURCE_EXHAUSTED,
  "too-slow": status.DEADLINE_EXCEEDED,
  "shutting-down": status.UNAVAILABLE,
};
