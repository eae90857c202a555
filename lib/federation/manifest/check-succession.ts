import type { Digest } from "../../base/ids.ts";
import type { Manifest } from "./manifest.ts";
import { type ManifestProblem, problem } from "./problems.ts";

/** Why one manifest cannot replace another: epochs only rise, and each names what it replaces. */
export function checkSuccession(
  previous: { readonly manifest: Manifest; readonly digest: Digest },
  next: Manifest,
): readonly ManifestProblem[] {
  const problems: ManifestProblem[] = [];
  if (next.epoch <= previous.manifest.epoch) {
    const message = `${next.epoch} is not higher than ${previous.manifest.epoch}, the epoch before`;
    problems.push(problem("epoch-not-higher", ["epoch"], message));
  }
  if (next.previousDigest !== previous.digest) {
    const message = `the manifest before has digest ${previous.digest}`;
    problems.push(problem("wrong-predecessor", ["previousDigest"], message));
  }
  return problems;
}
