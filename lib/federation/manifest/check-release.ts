import { isAnything } from "../../attestation/appraisal/anything.ts";
import { canonicalJson } from "../../base/canonical-json.ts";
import type { MetricReader } from "./manifest.ts";
import { type ManifestProblem, type Path, problem } from "./problems.ts";
import type { Sound } from "./sound.ts";

/** Models can leave at all, and towards parties that exist. */
export const checkRelease = (sound: Sound): readonly ManifestProblem[] => [
  ...checkMinimum(sound),
  ...checkReaders(sound, "clientMetrics"),
  ...checkReaders(sound, "models"),
  ...checkMayEnrol(sound),
];

function checkMinimum({ manifest, isSound }: Sound): ManifestProblem[] {
  const path = ["release", "minOrganizations"];
  if (!isSound("organizations") || !isSound(...path)) return [];
  const { minOrganizations } = manifest.release;
  const able = manifest.organizations.filter((each) => each.mayEnrol.includes("client"));
  if (minOrganizations <= able.length) return [];
  const message = `${minOrganizations} organizations are needed, and ${able.length} may enrol clients`;
  return [problem("unreachable-minimum", path, message)];
}

function checkReaders(
  { manifest, isSound }: Sound,
  field: "clientMetrics" | "models",
): ManifestProblem[] {
  const path = ["release", field];
  if (!isSound(...path)) return [];
  const readers: unknown = manifest.release[field];
  if (isAnything(readers)) return [];
  const listed = readers as readonly MetricReader[];
  const spelled = listed.map((each) => canonicalJson(each));
  return listed.flatMap((reader, index) => {
    if (spelled.indexOf(spelled[index] ?? "") !== index) {
      return [problem("listed-twice", [...path, index], "the same reader is listed before")];
    }
    if (reader.kind !== "organization" || !isSound("organizations")) return [];
    return manifest.organizations.some((each) => each.name === reader.name)
      ? []
      : [unknown([...path, index, "name"], reader.name)];
  });
}

function checkMayEnrol({ manifest, isSound }: Sound): ManifestProblem[] {
  if (!isSound("organizations")) return [];
  return manifest.organizations.flatMap(({ name, mayEnrol }, index) =>
    new Set(mayEnrol).size === mayEnrol.length
      ? []
      : [
          problem(
            "listed-twice",
            ["organizations", index, "mayEnrol"],
            `${name} may enrol a role twice`,
          ),
        ],
  );
}

const unknown = (path: Path, name: string): ManifestProblem =>
  problem("unknown-organization", path, `${name} is no organization of this manifest`);
