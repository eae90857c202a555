/** What an author refers to by file or by name, put in its place: keys, roots, measurements, the manifest before. */
import path from "node:path";
import { VENDOR_ANCHORS } from "../../lib/attestation/trust-anchors/vendor-anchors.ts";
import { toBase64 } from "../../lib/base/base64.ts";
import { manifestDigest } from "../../lib/federation/manifest/parse-manifest.ts";
import { type Path, placeOf } from "../../lib/federation/manifest/problems.ts";
import { isText, pemBlocksOf } from "../attest/text-or-bytes.ts";
import { CliError } from "../cli-error.ts";
import { readFileOr, within } from "../enrol-member.ts";
import { findExactManifest } from "./exact-manifest.ts";

/** What is wrong with a manifest or a file it refers to; as in docs/errors.md, and "bad-reference". */
export type CheckProblem = {
  readonly code: string;
  readonly place: string;
  readonly message: string;
};

/** A manifest with everything in it, as far as that could be read. */
export type Inlined = { readonly value: unknown; readonly problems: readonly CheckProblem[] };

type Resolution = { readonly folder: string; readonly problems: CheckProblem[] };

/**
 * Replaces `{file: …}` and the names of vendors' roots. What cannot be resolved stays as it is, with a problem.
 * @param folder  to which files are relative
 */
export async function inlineReferences(value: unknown, folder: string): Promise<Inlined> {
  const resolution: Resolution = { folder, problems: [] };
  const inlined = await inline(value, [], resolution);
  return { value: inlined, problems: resolution.problems };
}

async function inline(value: unknown, at: Path, resolution: Resolution): Promise<unknown> {
  if (at.at(-1) === "anchor" && typeof value === "string") return namedAnchor(value);
  if (typeof value !== "object" || value === null) return value;
  const file = referenceOf(value);
  if (file !== undefined) return (await fromFile(file, at, resolution)) ?? value;
  if (Array.isArray(value)) {
    return Promise.all(value.map((each, index) => inline(each, [...at, index], resolution)));
  }
  const entries = Object.entries(value).map(
    async ([key, each]) => [key, await inline(each, [...at, key], resolution)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

const referenceOf = (value: object): string | undefined => {
  const file: unknown = Reflect.get(value, "file");
  return typeof file === "string" && Object.keys(value).length === 1 ? file : undefined;
};

const namedAnchor = (name: string): string => {
  const known = VENDOR_ANCHORS.find((each) => each.name === name);
  return known === undefined ? name : toBase64(known.der);
};

async function fromFile(
  reference: string,
  at: Path,
  { folder, problems }: Resolution,
): Promise<string | undefined> {
  const file = path.isAbsolute(reference) ? reference : path.join(folder, reference);
  const read = READERS[String(at.at(-1))] ?? hexText;
  try {
    const bytes = await readFileOr(file, "the manifest refers to it");
    return within(file, () => read(bytes));
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    problems.push({ code: "bad-reference", place: placeOf(at), message: error.message });
    return undefined;
  }
}

/** How a file is read follows from the field that refers to it; any other holds hex digits. */
const READERS: Readonly<Record<string, (bytes: Uint8Array) => string>> = {
  publicKey: (bytes) => pemOrDer(bytes, "PUBLIC KEY"),
  anchor: (bytes) => pemOrDer(bytes, "CERTIFICATE"),
  previousDigest: (bytes) => {
    const exact = findExactManifest(bytes);
    if (exact === undefined) throw new TypeError("it is no manifest that was built");
    return manifestDigest(exact.bytes);
  },
};

/** DER in base64; what it says is checked with the rest of the manifest. */
function pemOrDer(bytes: Uint8Array, label: string): string {
  if (!isText(bytes)) return toBase64(bytes);
  const [block, ...more] = pemBlocksOf(bytes);
  if (block?.label !== label) throw new TypeError(`it holds no ${label} in PEM`);
  if (more.length > 0) throw new TypeError("it holds more than one block of PEM");
  return toBase64(block.der);
}

function hexText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("latin1").trim();
  if (!/^[0-9a-fA-F]+$/.test(text)) throw new TypeError("it holds something else than hex digits");
  return text.toLowerCase();
}
