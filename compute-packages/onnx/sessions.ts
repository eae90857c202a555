/** Sessions of the native runtime for one package, made when first needed and kept. */
import { assertInvariant } from "../../lib/base/refusal.ts";
import type { OnnxPackage } from "../format/archive.ts";
import { checkNodes } from "./gate-nodes.ts";
import { stepContract } from "./graph-contract.ts";
import { decodeModel, type ModelFile } from "./onnx-file.ts";
import { type OrtModule, SESSION_OPTIONS, type Session } from "./ort.ts";
import { RunnerError } from "./runner-error.ts";
import { wrapInScan } from "./scan.ts";

export type Sessions = {
  /** Many steps of training in one run; wrapInScan says what goes in and out. */
  readonly training: (options: ScanOptions) => Promise<Session>;
  /** Multiply-adds of one step, as the gate counts them. */
  readonly stepWork: (options: ScanOptions) => number;
  readonly evaluation: () => Promise<Session>;
  /** Frees native memory; no run may be under way. */
  readonly release: () => Promise<void>;
};

export type ScanOptions = { readonly isProximal: boolean; readonly batchSize: number };

/** @param pkg  whose graphs the gate let through */
export function createSessions(ort: OrtModule, pkg: OnnxPackage): Sessions {
  const { manifest } = pkg;
  const made = new Map<string, Promise<Session>>();
  const once = (key: string, build: () => Uint8Array): Promise<Session> => {
    const existing = made.get(key);
    if (existing) return existing;
    const session = openSession(ort, build());
    made.set(key, session);
    return session;
  };
  const stepGraph = (options: ScanOptions): ModelFile => {
    const { graph, proximalGraph } = manifest.onnx.step;
    return readGraph(pkg, options.isProximal ? proximalGraph : graph);
  };
  return {
    training: (options) =>
      once(`${options.isProximal}/${options.batchSize}`, () =>
        wrapInScan(stepGraph(options), manifest, options),
      ),
    stepWork: (options) => {
      const contract = stepContract(manifest, options.isProximal);
      const isRefused = () => assertInvariant(false, "the gate let this graph through");
      const graph = stepGraph(options).graph ?? {};
      return checkNodes(graph, { ...contract, maxBatchSize: options.batchSize }, isRefused);
    },
    evaluation: () => once("evaluation", () => fileOf(pkg, manifest.onnx.evaluation.graph)),
    release: async () => {
      const sessions = await Promise.allSettled(made.values());
      made.clear();
      for (const each of sessions) {
        if (each.status === "fulfilled") await each.value.release();
      }
    },
  };
}

async function openSession(ort: OrtModule, graph: Uint8Array): Promise<Session> {
  try {
    return await ort.InferenceSession.create(graph, SESSION_OPTIONS);
  } catch (cause) {
    throw new RunnerError("runtime-failed", "the runtime refused the graph", { cause });
  }
}

function readGraph(pkg: OnnxPackage, path: string | undefined): ModelFile {
  const model = decodeModel(fileOf(pkg, path));
  assertInvariant(typeof model !== "string", "the gate decoded this graph");
  return model;
}

function fileOf(pkg: OnnxPackage, path: string | undefined): Uint8Array {
  const file = path === undefined ? undefined : pkg.files.get(path);
  assertInvariant(file !== undefined, "readPackage found every file the manifest names");
  return file;
}
