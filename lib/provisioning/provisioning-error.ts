import { CodedError } from "../base/refusal.ts";

/** Bad certificates, statements and requests for certificates; codes in docs/errors.md. */
export class ProvisioningError extends CodedError<
  | "unreadable-certificate"
  | "not-issued-by-federation"
  | "not-yet-valid"
  | "expired"
  | "is-authority"
  | "bad-member-uri"
  | "wrong-federation"
  | "unknown-role"
  | "bad-member-name"
  | "wrong-key-usage"
  | "wrong-curve"
  | "lifetime-out-of-range"
  | "wrong-authority-key"
> {}
