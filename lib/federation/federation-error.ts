import { CodedError } from "../base/refusal.ts";

/** Manifests and descriptors that are well-formed documents and still wrong; codes in docs/errors.md. */
export class FederationError extends CodedError<
  | "bad-key"
  | "duplicate-name"
  | "duplicate-key"
  | "threshold-too-high"
  | "bad-ca-certificate"
  | "bad-address"
  | "wrong-federation-id"
  | "bad-partial"
> {}
