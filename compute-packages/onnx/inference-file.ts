/** A model and its package's inference graph as one ONNX file, for any runtime and without any of us. */
import { assertInvariant } from "../../lib/base/refusal.ts";
import type { OnnxPackage } from "../format/archive.ts";
import { modelLayout, readModelState } from "./model-state.ts";
import { decodeModel, ELEMENT_TYPES, encodeModel, type Initializer } from "./onnx-file.ts";
import { RunnerError } from "./runner-error.ts";

/** A file in protobuf cannot be larger; ONNX keeps larger weights outside, which is not written. */
const MAX_FILE_BYTES = 2 ** 31 - 1;
/** More than names, shapes and fields around a tensor take. */
const FRAME_BYTES = 1024;

/**
 * Puts the model's tensors into the graph as constants; what is left to give are the inputs.
 * @param pkg  whose graphs the gate let through
 * @param model  canonical safetensors of the package's state
 * @returns an ONNX file with weights in little-endian float32 and the graph's own operators, no other file beside it
 * @throws RunnerError "no-inference-graph" | "model-mismatch" | "too-large-for-onnx"
 */
export function writeInferenceFile(pkg: OnnxPackage, model: Uint8Array): Uint8Array {
  const { manifest, files } = pkg;
  const path = manifest.onnx.inference?.graph;
  if (path === undefined) {
    throw new RunnerError("no-inference-graph", "the package brings no graph for inference");
  }
  const layout = modelLayout(manifest);
  const state = readModelState(model, layout);
  const graphBytes = files.get(path);
  assertInvariant(graphBytes !== undefined, "readPackage found every file the manifest names");
  const sizeBytes = layout.sizeBytes + layout.tensors.length * FRAME_BYTES + graphBytes.byteLength;
  if (sizeBytes > MAX_FILE_BYTES) {
    throw new RunnerError("too-large-for-onnx", `one ONNX file holds ${MAX_FILE_BYTES} bytes`);
  }
  const decoded = decodeModel(graphBytes);
  assertInvariant(typeof decoded !== "string", "the gate decoded this graph");
  const { graph } = decoded;
  const weights = layout.tensors.map(({ name, shape }): Initializer => {
    const { buffer, byteOffset, byteLength } = state.get(name) ?? new Float32Array();
    return {
      name,
      dims: [...shape],
      dataType: ELEMENT_TYPES.F32.code,
      rawData: new Uint8Array(buffer, byteOffset, byteLength),
    };
  });
  return encodeModel({
    ...decoded,
    graph: {
      ...graph,
      initializer: [...(graph?.initializer ?? []), ...weights],
      input: (graph?.input ?? []).filter(({ name }) => !state.has(name ?? "")),
    },
  });
}
