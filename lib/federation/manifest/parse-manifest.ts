/** Manifests as bytes. The exact bytes are what parties compare, sign and bind into evidence. */
import * as z from "zod/mini";
import { utf8 } from "../../base/bytes.ts";
import { DocumentError, parseDocument, writeDocument } from "../../base/document.ts";
import { type Digest, digestOf } from "../../base/ids.ts";
import { FederationError } from "../federation-error.ts";
import { inspectManifest } from "./inspect-manifest.ts";
import type { Manifest } from "./manifest.ts";
import { MANIFEST_DOCUMENT } from "./manifest-schema.ts";
import { type ManifestProblem, problemText } from "./problems.ts";

const DIGEST_DOMAIN = utf8("fedclave/manifest/1\0");
/** Problems that one message names; `fedclave manifest check` lists all of them. */
const MAX_NAMED_PROBLEMS = 3;

/**
 * Reads a manifest from its exact bytes: canonical JSON, every field present, none beyond, nothing in it wrong.
 * @throws DocumentError "too-large" | "not-canonical" | "wrong-kind" | "unsupported-version" | "bad-shape"
 * @throws FederationError with the code of the first problem
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  const { manifest, problems } = inspectManifest(manifestValue(bytes));
  if (manifest === undefined) throw manifestError(problems);
  return manifest;
}

/**
 * The JSON of a manifest whose kind and version are known here; nothing else is checked.
 * @throws DocumentError as parseManifest, but for "bad-shape"
 */
export const manifestValue = (bytes: Uint8Array): unknown =>
  parseDocument(bytes, MANIFEST_DOCUMENT, z.unknown());

/**
 * The bytes of a manifest. They are parsed once before they are given out.
 * @throws as parseManifest
 */
export function writeManifest(manifest: Manifest): Uint8Array {
  const { kind, version } = MANIFEST_DOCUMENT;
  const bytes = writeDocument({ kind, version, ...manifest });
  parseManifest(bytes);
  return bytes;
}

/** Names the exact bytes of a manifest; bound into the federation id, and later into evidence. */
export const manifestDigest = (bytes: Uint8Array): Digest => digestOf(DIGEST_DOMAIN, bytes);

function manifestError(problems: readonly ManifestProblem[]): DocumentError | FederationError {
  const named = problems.slice(0, MAX_NAMED_PROBLEMS).map(problemText);
  const more = problems.length - named.length;
  const message = `the manifest is wrong: ${named.join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
  const code = problems[0]?.code ?? "bad-shape";
  return code === "bad-shape"
    ? new DocumentError(code, message)
    : new FederationError(code, message);
}
