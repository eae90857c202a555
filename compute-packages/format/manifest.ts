/** `fedn.yaml`: what a compute package is and needs. Inside an archive it is canonical JSON, a subset of YAML. */
import { equalBytes, utf8 } from "../../lib/base/bytes.ts";
import { canonicalJson, type Json, parseCanonicalJson } from "../../lib/base/canonical-json.ts";
import type { Name } from "../../lib/base/ids.ts";
import { commandManifestSchema } from "./command-manifest-schema.ts";
import { MAX_MANIFEST_BYTES } from "./limits.ts";
import { describeIssues, onnxManifestSchema } from "./manifest-schema.ts";
import { PackageError } from "./package-error.ts";

/** Where every package has its manifest. */
export const MANIFEST_PATH = "fedn.yaml";
const MANIFEST_KIND = "fedclave/compute-package";

/** Element types a training input may have. */
export type InputDtype = "U8" | "I32" | "I64" | "F32";

/** One input of the data set; the shape leaves out the example axis, so [] is one number per example. */
export type InputSpec = { readonly dtype: InputDtype; readonly shape: readonly number[] };

/** One tensor of the state that a step reads and writes. */
export type StateSpec = { readonly dtype: "F32"; readonly shape: readonly number[] };

/** Random 0/1 bytes per example and step; 1 with probability keepPer256/256. */
export type MaskSpec = { readonly shape: readonly number[]; readonly keepPer256: number };

/** A number a session may set within the bounds; `batchSize` and `localEpochs` are integers. */
export type HyperparameterSpec = {
  readonly default: number;
  readonly minimum: number;
  readonly maximum: number;
};

/** One output of inference; the shape leaves out the example axis. */
export type InferenceOutputSpec = {
  readonly dtype: "F32" | "I64";
  readonly shape: readonly number[];
};

/** What a graph for inference takes, of `data`, and gives. */
export type InferenceSpec = {
  readonly graph: string;
  readonly inputs: readonly string[];
  readonly outputs: { readonly [name: string]: InferenceOutputSpec };
};

/** Everything the onnx runner needs besides the files; docs/wire-formats.md describes each field. */
export type OnnxSection = {
  readonly step: {
    readonly graph: string;
    /** The same step with FedProx's term; without it a session's proximal mu must be 0. */
    readonly proximalGraph?: string | undefined;
  };
  readonly evaluation: { readonly graph: string; readonly metrics: readonly string[] };
  /** From inputs, and no labels, to answers: for those who use the model. No client runs it. */
  readonly inference?: InferenceSpec | undefined;
  /** A model to start sessions from, in canonical safetensors. */
  readonly seedModel?: string | undefined;
  /** What is trained: a model of this package has exactly these tensors. */
  readonly state: { readonly [name: string]: StateSpec };
  /**
   * What the step carries from one to the next besides: an optimizer's moments. It starts at zero in every task,
   * ends with it, and is neither part of the model nor sent to anyone.
   */
  readonly localState?: { readonly [name: string]: StateSpec } | undefined;
  readonly masks: { readonly [name: string]: MaskSpec };
  readonly hyperparameters: {
    readonly batchSize: HyperparameterSpec;
    readonly localEpochs: HyperparameterSpec;
    readonly [name: string]: HyperparameterSpec;
  };
};

export type OnnxManifest = {
  readonly kind: typeof MANIFEST_KIND;
  readonly version: 1;
  readonly name: Name;
  readonly runtime: "onnx";
  readonly data: { readonly [name: string]: InputSpec };
  readonly onnx: OnnxSection;
};

/** How a model lies in the files that commands read and write: FEDn's three helpers under FEDn's names. */
export type CommandHelper = "numpyhelper" | "binaryhelper" | "androidhelper";

/** What the command runtime is told besides what FEDn's own fedn.yaml says. */
export type CommandSection = {
  readonly helper: CommandHelper;
  /** Names of the model's tensors in the order commands number them; without it they are named "0", "1", … */
  readonly tensorNames?: readonly string[] | undefined;
  /** What `python_env` lists, as pip takes it; read when the package is built. */
  readonly pythonDependencies?:
    | { readonly build: readonly string[]; readonly run: readonly string[] }
    | undefined;
  /** A model to start sessions from, in canonical safetensors. */
  readonly seedModel?: string | undefined;
};

/** A FEDn package: its own keys under their own names, so that FEDn reads the file too. */
export type CommandManifest = {
  readonly kind: typeof MANIFEST_KIND;
  readonly version: 1;
  readonly name: Name;
  readonly runtime: "command";
  /** Shell command lines by what they are for; "train" is there. */
  readonly entry_points: { readonly [name: string]: { readonly command: string } };
  /** Path of the environment file. */
  readonly python_env?: string | undefined;
  readonly command: CommandSection;
};

/** One member per runtime. */
export type PackageManifest = OnnxManifest | CommandManifest;

export type Runtime = PackageManifest["runtime"];

/**
 * Checks a manifest, however it was authored.
 * @param json  the parsed document: YAML or JSON
 * @throws PackageError "manifest-invalid" with every reason
 */
export function validateManifest(json: unknown): PackageManifest {
  const runtime = (json as { runtime?: unknown } | null | undefined)?.runtime;
  const schema = runtime === "command" ? commandManifestSchema : onnxManifestSchema;
  const result = schema.safeParse(json);
  if (!result.success) {
    throw new PackageError("manifest-invalid", describeIssues(result.error.issues));
  }
  return { ...result.data, name: result.data.name as Name };
}

/** The bytes a manifest has inside an archive. */
export const manifestBytes = (manifest: PackageManifest): Uint8Array =>
  utf8(canonicalJson(manifest as Json));

/**
 * Reads the manifest of an archive.
 * @throws PackageError "manifest-not-canonical" and those of validateManifest
 */
export function parseManifestFile(bytes: Uint8Array): PackageManifest {
  if (bytes.byteLength > MAX_MANIFEST_BYTES) {
    throw new PackageError(
      "file-too-large",
      `${MANIFEST_PATH} is over ${MAX_MANIFEST_BYTES} bytes`,
    );
  }
  let json: Json;
  try {
    json = parseCanonicalJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new PackageError("manifest-not-canonical", `${MANIFEST_PATH} is not canonical JSON`, {
      cause,
    });
  }
  const manifest = validateManifest(json);
  // A schema that drops or turns a value would give two readings of one digest.
  if (!equalBytes(manifestBytes(manifest), bytes)) {
    throw new PackageError("manifest-not-canonical", `${MANIFEST_PATH} has another canonical form`);
  }
  return manifest;
}

/** Paths that must be in the archive besides the manifest. */
export function filesNamedBy(manifest: PackageManifest): readonly string[] {
  if (manifest.runtime === "command") {
    return present([manifest.python_env, manifest.command.seedModel]);
  }
  const { step, evaluation, inference, seedModel } = manifest.onnx;
  return present([step.graph, step.proximalGraph, evaluation.graph, inference?.graph, seedModel]);
}

const present = (paths: readonly (string | undefined)[]): readonly string[] =>
  paths.filter((path) => path !== undefined);
