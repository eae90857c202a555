/** Finds what a person means by a name, the beginning of a digest, or "latest". */
import { parseDigest } from "../lib/base/ids.ts";
import { CliError } from "./cli-error.ts";
import { shortHash } from "./rendering/units.ts";

/** Something that is called by a digest, or by a name if it has one. */
export type Candidate = { readonly digest: string; readonly name?: string; readonly atMs: number };

const MIN_PREFIX_LENGTH = 6;

/**
 * @param text  a digest, at least its first 6 characters, a name, or "latest"
 * @param noun  "model" or "package"
 * @param remedy  what to do when there is none
 * @throws CliError "not-found" | "ambiguous"
 */
export function resolveReference<T extends Candidate>(
  text: string,
  candidates: readonly T[],
  noun: string,
  remedy: string,
): T {
  const newestFirst = [...candidates].sort((a, b) => b.atMs - a.atMs);
  const [newest] = newestFirst;
  if (newest === undefined) {
    throw new CliError("not-found", `the reducer holds no ${noun} yet; ${remedy}`);
  }
  if (text === "latest") return newest;
  const exact = candidates.find((each) => each.digest === text);
  if (exact !== undefined) return exact;
  // A name may have been given again; the newest bearer is meant.
  const named = newestFirst.find((each) => each.name === text);
  if (named !== undefined) return named;
  const isPrefix = /^[0-9a-f]+$/.test(text) && text.length >= MIN_PREFIX_LENGTH;
  const beginning = isPrefix ? newestFirst.filter((each) => each.digest.startsWith(text)) : [];
  const [only] = beginning;
  if (only === undefined) {
    const hint =
      parseDigest(text) === undefined ? `, or name the first 6 characters of a hash` : "";
    throw new CliError(
      "not-found",
      `no ${noun} "${text}"; list them with: fedclave ${noun} list${hint}`,
    );
  }
  if (beginning.length > 1) {
    const found = beginning.map((each) => shortHash(each.digest)).join(", ");
    throw new CliError(
      "ambiguous",
      `"${text}" begins ${beginning.length} hashes: ${found}; say more`,
    );
  }
  return only;
}
