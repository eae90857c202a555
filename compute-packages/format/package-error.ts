import { CodedError } from "../../lib/base/refusal.ts";

/** Why bytes are not a compute package. docs/errors.md says what to do about each. */
export type PackageErrorCode =
  | "archive-too-large"
  | "archive-corrupt"
  | "archive-not-canonical"
  | "too-many-files"
  | "file-too-large"
  | "path-refused"
  | "path-repeated"
  | "entry-refused"
  | "manifest-missing"
  | "manifest-not-canonical"
  | "manifest-invalid"
  | "file-missing"
  | "wrong-runtime";

/** A compute package that cannot be read or written; the message names the file or field. */
export class PackageError extends CodedError<PackageErrorCode> {}
