import { CodedError } from "../base/refusal.ts";

/** What stops a merge; docs/errors.md says what to do about each. */
export type AggregationErrorCode = "non-finite-result" | "wrong-state";

export class AggregationError extends CodedError<AggregationErrorCode> {}
