import path from "node:path";
import { DocumentError } from "../../lib/base/document.ts";
import type { Digest } from "../../lib/base/ids.ts";
import type { UnverifiedEnvelope } from "../../lib/base/signed-document.ts";
import { inspectManifest } from "../../lib/federation/manifest/inspect-manifest.ts";
import type { Manifest } from "../../lib/federation/manifest/manifest.ts";
import {
  manifestDigest,
  manifestValue,
  writeManifest,
} from "../../lib/federation/manifest/parse-manifest.ts";
import { problemText } from "../../lib/federation/manifest/problems.ts";
import { CliError } from "../cli-error.ts";
import { readFileOr, within } from "../enrol-member.ts";
import { parseAuthored } from "./authored-yaml.ts";
import { findExactManifest } from "./exact-manifest.ts";
import { type CheckProblem, inlineReferences } from "./inline-references.ts";

/** A file that was read, and everything that is wrong with the manifest in it. */
export type ManifestFile = {
  readonly file: string;
  readonly problems: readonly CheckProblem[];
  /** Present exactly if there are no problems. */
  readonly manifest?: Manifest;
  /** Exact bytes: those of the file or, of a file that an author writes, those that would be built. */
  readonly bytes?: Uint8Array;
  /** Whether the exact bytes are in the file. */
  readonly isExact: boolean;
  /** If the file is a signed manifest. */
  readonly envelope?: UnverifiedEnvelope;
};

/** A manifest without problems. */
export type SoundManifest = {
  readonly manifest: Manifest;
  readonly bytes: Uint8Array;
  readonly digest: Digest;
};

const HINT = "name a manifest: federation.yaml, one that was built or signed, or federation.json";

/**
 * Reads a manifest in any form: authored, built, signed, or within federation.json.
 * @throws CliError "unreadable-file" if it is in none
 */
export async function readManifestFile(file: string): Promise<ManifestFile> {
  const content = await readFileOr(file, HINT);
  const exact = within(file, () => findExactManifest(content));
  if (exact !== undefined) {
    const value = within(file, () => manifestValue(exact.bytes));
    return { file, isExact: true, ...exact, ...inspectManifest(value) };
  }
  const authored = parseAuthored(Buffer.from(content).toString("utf8"), file);
  const { value, problems } = await inlineReferences(authored, path.dirname(file));
  const inspection = inspectManifest(value);
  const others = inspection.problems.filter(({ place }) => !problems.some(isWithin(place)));
  if (problems.length > 0 || inspection.manifest === undefined) {
    return { file, isExact: false, problems: [...problems, ...others] };
  }
  return { file, isExact: false, ...builtFrom(inspection.manifest) };
}

/** What stands where a file should have been read is wrong for no other reason. */
const isWithin =
  (place: string) =>
  (reference: CheckProblem): boolean =>
    place === reference.place || place.startsWith(`${reference.place}.`);

function builtFrom(manifest: Manifest): Pick<ManifestFile, "manifest" | "bytes" | "problems"> {
  try {
    return { manifest, bytes: writeManifest(manifest), problems: [] };
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    return { problems: [{ code: error.code, place: "", message: error.message }] };
  }
}

/**
 * The manifest of a file that must not have a problem.
 * @throws CliError "refused" with every problem
 */
export function soundManifest({ file, manifest, bytes, problems }: ManifestFile): SoundManifest {
  if (manifest === undefined || bytes === undefined) {
    const lines = problems.map((each) => `  ${problemText(each)}`);
    throw new CliError("refused", [`${file} is no manifest yet:`, ...lines].join("\n"));
  }
  return { manifest, bytes, digest: manifestDigest(bytes) };
}
