/** Everything that is wrong with a manifest at once: first its shape, then what those parts mean that have theirs. */
import { checkKeys } from "./check-keys.ts";
import { checkRelease } from "./check-release.ts";
import { checkRoles } from "./check-roles.ts";
import { checkThresholds } from "./check-thresholds.ts";
import { MAX_ACCEPTED, type Manifest } from "./manifest.ts";
import { manifestSchema } from "./manifest-schema.ts";
import { type ManifestProblem, type Path, problem, shapeFaults, valueAt } from "./problems.ts";
import type { Sound } from "./sound.ts";

/** What was found, good or bad. */
export type Inspection = {
  /** Present exactly if there is no problem. */
  readonly manifest?: Manifest;
  readonly problems: readonly ManifestProblem[];
};

/** @param value  parsed JSON, `kind` and `version` included */
export function inspectManifest(value: unknown): Inspection {
  const result = manifestSchema.safeParse(value);
  const faults = result.success ? [] : shapeFaults(result.error.issues, value);
  const problems = faults.map(({ path, message }) => problem("bad-shape", path, message));
  const isSound = (...path: Path): boolean =>
    faults.every((fault) => !isPrefix(fault.path, path) && !isPrefix(path, fault.path));
  // Parts without a fault have the shape that their type says; checks ask before they look.
  const sound: Sound = {
    manifest: value as Manifest,
    isSound,
    lengthAt: (...path) => {
      const list = valueAt(value, path);
      return Array.isArray(list) ? Math.min(list.length, MAX_ACCEPTED) : 0;
    },
  };
  const meaning = [checkKeys, checkThresholds, checkRoles, checkRelease];
  problems.push(...meaning.flatMap((check) => check(sound)));
  if (!result.success || problems.length > 0) return { problems };
  const { kind: _kind, version: _version, ...manifest } = result.data;
  return { manifest, problems };
}

const isPrefix = (short: Path, long: Path): boolean =>
  short.every((step, index) => long[index] === step);
