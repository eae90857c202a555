import { CodedError } from "../base/refusal.ts";

/** Why bytes are not the tensors they should be; docs/errors.md says what to do about each. */
export type TensorErrorCode =
  | "truncated"
  | "trailing-bytes"
  | "header-too-large"
  | "header-not-utf8"
  | "header-malformed"
  | "bad-number"
  | "bad-name"
  | "duplicate-name"
  | "unknown-dtype"
  | "unsupported-dtype"
  | "big-endian"
  | "shape-out-of-range"
  | "bad-offsets"
  | "size-mismatch"
  | "too-many-tensors"
  | "too-large"
  | "not-canonical"
  | "nothing-trainable"
  | "zip-malformed"
  | "zip-unsupported"
  | "zip-checksum"
  | "npy-malformed";

/** Bytes that are not what they claim to be. Messages hold names and sizes, never element values. */
export class TensorError extends CodedError<TensorErrorCode> {}
