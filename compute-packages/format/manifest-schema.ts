import * as z from "zod/mini";
import { printable } from "../../lib/base/refusal.ts";
import {
  MAX_BATCH_SIZE,
  MAX_DECLARED,
  MAX_LOCAL_EPOCHS,
  MAX_LOCAL_TENSORS,
  MAX_RANK,
  MAX_STATE_TENSORS,
  MAX_TENSOR_ELEMENTS,
} from "./limits.ts";
import { isPackagePath } from "./paths.ts";

// zod compiles its schemas with `new Function` by default; trusted code makes no code at run time.
z.config({ jitless: true });

/** Names become names of values in a graph; "/" and ":" stay free for the names the runner adds. */
const VALUE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.]{0,63}$/;
const isValueName = (name: string): boolean => VALUE_NAME.test(name);
const valueName = z.string().check(z.regex(VALUE_NAME));

/** Metric names as they travel. */
const metricName = z.string().check(z.regex(/^[a-z0-9_]{1,63}$/));

/** A path within the archive. */
export const path = z.string().check(z.refine(isPackagePath, { error: "is not an allowed path" }));

const shape = z.array(z.int().check(z.minimum(1), z.maximum(MAX_TENSOR_ELEMENTS))).check(
  z.maxLength(MAX_RANK - 1),
  z.refine((sizes) => sizes.reduce((a, b) => a * b, 1) <= MAX_TENSOR_ELEMENTS, {
    error: `has more than ${MAX_TENSOR_ELEMENTS} elements`,
  }),
);

/** Names of packages, for people. */
export const packageName = z.string().check(z.regex(/^[a-z0-9-]{1,63}$/));

const recordOf = <Value extends z.ZodMiniType>(value: Value, maxCount: number) =>
  z.record(valueName, value).check(
    z.refine((record) => Object.keys(record).length <= maxCount, {
      error: `has more than ${maxCount} entries`,
    }),
  );

const input = z.strictObject({ dtype: z.enum(["U8", "I32", "I64", "F32"]), shape });
const state = z.strictObject({ dtype: z.literal("F32"), shape });
const inferenceOutput = z.strictObject({ dtype: z.enum(["F32", "I64"]), shape });
const mask = z.strictObject({
  shape,
  keepPer256: z.int().check(z.minimum(1), z.maximum(255)),
});

const hyperparameter = z
  .strictObject({ default: z.number(), minimum: z.number(), maximum: z.number() })
  .check(
    z.refine((spec) => spec.minimum <= spec.default && spec.default <= spec.maximum, {
      error: "has a default outside its bounds",
    }),
  );

const integerHyperparameter = (maximum: number) =>
  hyperparameter.check(
    z.refine((spec) => Object.values(spec).every(Number.isInteger), {
      error: "holds a number that is not an integer",
    }),
    z.refine((spec) => spec.minimum >= 1 && spec.maximum <= maximum, {
      error: `leaves the range 1 to ${maximum}`,
    }),
  );

const hyperparameters = z
  .catchall(
    z.object({
      batchSize: integerHyperparameter(MAX_BATCH_SIZE),
      localEpochs: integerHyperparameter(MAX_LOCAL_EPOCHS),
    }),
    hyperparameter,
  )
  .check(
    z.refine((record) => Object.keys(record).every(isValueName), {
      error: "has a name that is not allowed",
    }),
    z.refine((record) => Object.keys(record).length <= MAX_DECLARED, {
      error: `has more than ${MAX_DECLARED} entries`,
    }),
  );

const onnx = z.strictObject({
  step: z.strictObject({ graph: path, proximalGraph: z.optional(path) }),
  evaluation: z.strictObject({
    graph: path,
    metrics: z.array(metricName).check(
      z.minLength(1),
      z.maxLength(MAX_DECLARED),
      z.refine((names) => new Set(names).size === names.length, { error: "names one twice" }),
    ),
  }),
  inference: z.optional(
    z.strictObject({
      graph: path,
      inputs: z.array(valueName).check(
        z.minLength(1),
        z.maxLength(MAX_DECLARED),
        z.refine((names) => new Set(names).size === names.length, { error: "names one twice" }),
      ),
      outputs: recordOf(inferenceOutput, MAX_DECLARED).check(
        z.refine((record) => Object.keys(record).length > 0, { error: "declares no output" }),
      ),
    }),
  ),
  seedModel: z.optional(path),
  state: recordOf(state, MAX_STATE_TENSORS).check(
    z.refine((record) => Object.keys(record).length > 0, { error: "declares no tensor" }),
  ),
  localState: z.optional(
    recordOf(state, MAX_LOCAL_TENSORS).check(
      z.refine((record) => Object.keys(record).length > 0, { error: "declares no tensor" }),
    ),
  ),
  masks: recordOf(mask, MAX_DECLARED),
  hyperparameters,
});

/** Names that become inputs of one graph; two of a kind could not be told apart there. */
const RESERVED_NAMES = ["loss", "proximalMu"];

/** Strict: an unknown field is refused, and so is a missing one. */
export const onnxManifestSchema = z
  .strictObject({
    kind: z.literal("fedclave/compute-package"),
    version: z.literal(1),
    name: packageName,
    runtime: z.literal("onnx"),
    data: recordOf(input, MAX_DECLARED).check(
      z.refine((record) => Object.keys(record).length > 0, { error: "declares no input" }),
      z.refine((record) => !Object.keys(record).some((name) => `${name}_validation` in record), {
        error: "has a name that is another name with _validation",
      }),
    ),
    onnx,
  })
  .check(
    z.refine(
      ({ data, onnx }) => {
        const { state, localState = {}, masks, hyperparameters } = onnx;
        const declared = [data, state, localState, masks, hyperparameters].flatMap(Object.keys);
        const names = [...RESERVED_NAMES, ...declared];
        return new Set(names).size === names.length;
      },
      { error: "uses one name for two of inputs, state, local state, masks and hyperparameters" },
    ),
    z.refine(({ data, onnx }) => (onnx.inference?.inputs ?? []).every((name) => name in data), {
      error: "has inference inputs that are not in data",
    }),
    z.refine(
      ({ data, onnx }) =>
        !Object.keys(onnx.inference?.outputs ?? {}).some(
          (name) => name in data || name in onnx.state,
        ),
      { error: "has an inference output with the name of an input or of state" },
    ),
  );

/** Every issue with its path, for a person. */
export function describeIssues(issues: readonly z.core.$ZodIssue[]): string {
  return issues
    .map((issue) => `${printable(issue.path.join(".") || "the manifest")} ${describe(issue)}`)
    .join("; ");
}

function describe(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "custom":
      return issue.message;
    case "unrecognized_keys":
      return `has unknown keys ${printable(issue.keys.join(", "))}`;
    case "invalid_type":
      return `must be ${issue.expected}`;
    case "invalid_value":
      return `must be ${issue.values.map(String).join(" or ")}`;
    case "too_small":
      return `must be at least ${issue.minimum}`;
    case "too_big":
      return `must be at most ${issue.maximum}`;
    default:
      return "is not an allowed name or value";
  }
}
