/**
 * A package's step graph as the body of an ONNX Scan, so that one run() does many steps without coming back to
 * JavaScript: the state is carried from step to step, each step gathers its rows from the whole data set.
 * Scan as in the ONNX operator reference, opset 16; names with ":" are ours, the gate leaves them free.
 */
import type { OnnxManifest } from "../format/manifest.ts";
import { type ContractValue, LOSS, nextName, stepContract } from "./graph-contract.ts";
import {
  ATTRIBUTE_TYPES,
  BATCH_AXIS,
  encodeModel,
  type GraphNode,
  type ModelFile,
  valueInfo,
} from "./onnx-file.ts";

/** Name that a value of the step graph has outside the Scan. */
export const outerName = (name: string): string => `scan:${name}`;
/** int32 [steps, batch]: which examples each step takes. */
export const INDICES = "scan:indices";

const ROW_INDICES = "body:indices";

/**
 * @param step  the step graph, which the gate let through
 * @param batchSize  fixed, so that the runtime can plan its memory
 * @returns an ONNX file with inputs outerName(data input) [examples, …], outerName(state or local state), outerName(mask)
 *   [steps, batch, …], INDICES, and the scalars and global tensors of the contract under their own names;
 *   outputs outerName(nextName(state)) and outerName(LOSS) [steps]
 */
export function wrapInScan(
  step: ModelFile,
  manifest: OnnxManifest,
  options: { readonly isProximal: boolean; readonly batchSize: number },
): Uint8Array {
  const { batchSize } = options;
  const fixed = (value: ContractValue) =>
    value.dimensions.map((size) => (size === BATCH_AXIS ? batchSize : size));
  const { inputs } = stepContract(manifest, options.isProximal);
  const data = inputs.filter(({ name }) => Object.hasOwn(manifest.data, name));
  const states = { ...manifest.onnx.state, ...manifest.onnx.localState };
  const state = inputs.filter(({ name }) => Object.hasOwn(states, name));
  const masks = inputs.filter(({ name }) => Object.hasOwn(manifest.onnx.masks, name));
  const captured = inputs.filter((each) => ![data, state, masks].some((of) => of.includes(each)));

  const gathers = data.map(
    ({ name }): GraphNode => ({
      opType: "Gather",
      input: [outerName(name), ROW_INDICES],
      output: [name],
      attribute: [{ name: "axis", i: 0, type: ATTRIBUTE_TYPES.INT }],
    }),
  );
  const body = {
    name: "step",
    node: [...gathers, ...(step.graph?.node ?? [])],
    initializer: step.graph?.initializer ?? [],
    input: [
      ...state.map((each) => valueInfo(each.name, each.dtype, fixed(each))),
      valueInfo(ROW_INDICES, "I32", [batchSize]),
      ...masks.map((each) => valueInfo(each.name, each.dtype, fixed(each))),
    ],
    output: [
      ...state.map((each) => valueInfo(nextName(each.name), each.dtype, fixed(each))),
      valueInfo(LOSS, "F32", []),
    ],
  };
  const scan: GraphNode = {
    opType: "Scan",
    input: [
      ...state.map(({ name }) => outerName(name)),
      INDICES,
      ...masks.map(({ name }) => outerName(name)),
    ],
    output: [...state.map(({ name }) => outerName(nextName(name))), outerName(LOSS)],
    attribute: [
      { name: "body", g: body, type: ATTRIBUTE_TYPES.GRAPH },
      { name: "num_scan_inputs", i: 1 + masks.length, type: ATTRIBUTE_TYPES.INT },
    ],
  };
  const graph = {
    name: "epoch",
    node: [scan],
    input: [
      ...data.map(({ name, dtype, dimensions }) =>
        valueInfo(outerName(name), dtype, ["examples", ...dimensions.slice(1)]),
      ),
      ...state.map((each) => valueInfo(outerName(each.name), each.dtype, each.dimensions)),
      valueInfo(INDICES, "I32", ["steps", batchSize]),
      ...masks.map((each) =>
        valueInfo(outerName(each.name), each.dtype, ["steps", ...fixed(each)]),
      ),
      ...captured.map((each) => valueInfo(each.name, each.dtype, each.dimensions)),
    ],
    output: [
      ...state.map((each) =>
        valueInfo(outerName(nextName(each.name)), each.dtype, each.dimensions),
      ),
      valueInfo(outerName(LOSS), "F32", ["steps"]),
    ],
  };
  return encodeModel({ ...step, graph });
}
