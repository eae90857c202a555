import { CodedError } from "../base/refusal.ts";
import type { ManifestProblemCode } from "./manifest/problems.ts";

/** Manifests and descriptors that are well-formed documents and still wrong; codes in docs/errors.md. */
export class FederationError extends CodedError<
  | Exclude<ManifestProblemCode, "bad-shape">
  | "bad-ca-certificate"
  | "ca-not-pinned"
  | "bad-address"
  | "wrong-federation-id"
  | "bad-partial"
> {}
