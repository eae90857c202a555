/** What is wrong with a manifest, each with its place, so that an author mends everything in one go. */
import type * as z from "zod/mini";

/** Well-formed values that are wrong nevertheless. */
export type ManifestProblemCode =
  | "bad-shape"
  | "bad-key"
  | "duplicate-name"
  | "duplicate-key"
  | "listed-twice"
  | "threshold-too-high"
  | "quorum-too-high"
  | "wrong-predecessor"
  | "epoch-not-higher"
  | "unknown-organization"
  | "nobody-accepted"
  | "unreachable-minimum"
  | "bad-anchor"
  | "wrong-vendor"
  | "development-anchor"
  | "hazard-admitted"
  | "value-outside-mask"
  | "advisory-contradiction"
  | "unmeasured-software";

/** One thing that is wrong, and where. */
export type ManifestProblem = {
  readonly code: ManifestProblemCode;
  /** "roles.combiner[0].measurement.mrEnclave"; empty for the manifest itself. */
  readonly place: string;
  /** For people: "62 of 64 hex digits". */
  readonly message: string;
};

/** The steps that lead to a value. */
export type Path = readonly (string | number)[];

/** "roles.combiner[0].name". */
export const placeOf = (path: Path): string =>
  path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`))
    .join("")
    .replace(/^\./, "");

/** A problem at the end of these steps. */
export const problem = (
  code: ManifestProblemCode,
  path: Path,
  message: string,
): ManifestProblem => ({ code, place: placeOf(path), message });

/** "place: message"; what concerns the whole has no place. */
export const problemText = ({ place, message }: Omit<ManifestProblem, "code">): string =>
  place === "" ? message : `${place}: ${message}`;

/** Where a value does not have the shape of the schema. */
export type ShapeFault = { readonly path: Path; readonly message: string };

/** Every fault that the schema found, with words for it. @param value  what was parsed */
export const shapeFaults = (
  issues: readonly z.core.$ZodIssue[],
  value: unknown,
): readonly ShapeFault[] => issues.flatMap((issue) => faultsOf(issue, value, []));

function faultsOf(issue: z.core.$ZodIssue, root: unknown, base: Path): readonly ShapeFault[] {
  const path: Path = [
    ...base,
    ...issue.path.map((step) => (typeof step === "number" ? step : String(step))),
  ];
  const at = (message: string): readonly ShapeFault[] => [{ path, message }];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({ path: [...path, key], message: "unknown field" }));
    case "invalid_type": {
      const seen = valueAt(root, path);
      return at(seen === undefined ? "missing" : `not ${WORDS[issue.expected] ?? issue.expected}`);
    }
    case "too_small":
      return at(`fewer than ${issue.minimum} entries`);
    case "too_big":
      return at(`more than ${issue.maximum} entries`);
    case "invalid_union":
      return unionFaults(issue, root, path);
    default:
      return at(issue.message);
  }
}

const WORDS: Readonly<Record<string, string>> = { object: "a group of fields", array: "a list" };

/** Unions are told apart by `kind`, or are a value or `{any: true, …}`: faults of the variant that was meant. */
function unionFaults(
  issue: z.core.$ZodIssueInvalidUnion,
  root: unknown,
  path: Path,
): readonly ShapeFault[] {
  const seen = valueAt(root, path);
  if (seen === undefined) return [{ path, message: "missing" }];
  const [wanted = [], anything = []] = issue.errors;
  if (issue.errors.length === 0) return [{ path, message: "no kind that is known here" }];
  const isAny = typeof seen === "object" && seen !== null && "any" in seen;
  return (isAny ? anything : wanted).flatMap((each) => faultsOf(each, root, path));
}

/** What stands at a place, if anything does. */
export function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, step);
  }
  return value;
}
