/** What adaptive aggregators carry from round to round, as an artifact (docs/wire-formats.md). */
import { equalBytes, sha256 } from "../base/bytes.ts";
import { layoutOf, type TensorLayout } from "../tensors/layout.ts";
import { tensorBytes } from "../tensors/safetensors.ts";
import { AggregationError } from "./aggregation-error.ts";

const STATE_VERSION = 1;

/** A state being moved on: views of its own file. */
export type OptimizerState = {
  readonly file: Uint8Array;
  /** Moments of all trainable elements, in the order of the trainable layout. */
  readonly m: Float64Array;
  readonly v: Float64Array;
  /** Rounds done. */
  readonly step: number;
};

/** The state before the first round: m = 0, v = initialSecondMoment, step 0. */
export function initialState(trainable: TensorLayout, initialSecondMoment: number): OptimizerState {
  const layout = stateLayout(trainable);
  const file = new Uint8Array(layout.sizeBytes);
  file.set(layout.header);
  const parts = partsOf(file, layout);
  parts.layoutHash.set(sha256(trainable.header));
  new DataView(file.buffer, parts.version.byteOffset).setUint32(0, STATE_VERSION, true);
  const state = viewState(file, layout);
  state.v.fill(initialSecondMoment);
  return state;
}

/**
 * A copy of a stored state, to be changed in place.
 * @throws AggregationError "wrong-state" if it is not a state of this version over exactly this layout
 */
export function openState(trainable: TensorLayout, bytes: Uint8Array): OptimizerState {
  const layout = stateLayout(trainable);
  const hasHeader = equalBytes(layout.header, bytes.subarray(0, layout.header.byteLength));
  if (bytes.byteLength !== layout.sizeBytes || !hasHeader) {
    throw new AggregationError("wrong-state", "the optimizer state is of another layout");
  }
  const file = new Uint8Array(bytes);
  const parts = partsOf(file, layout);
  const version = new DataView(file.buffer, parts.version.byteOffset).getUint32(0, true);
  if (version !== STATE_VERSION || !equalBytes(parts.layoutHash, sha256(trainable.header))) {
    throw new AggregationError("wrong-state", "the optimizer state is of another version or model");
  }
  const state = viewState(file, layout);
  if (!Number.isSafeInteger(state.step)) {
    throw new AggregationError("wrong-state", "the optimizer state counts past 2^53 rounds");
  }
  return state;
}

/** Writes the count of rounds; the moments were changed in place. */
export function closeState(trainable: TensorLayout, { file }: OptimizerState, step: number): void {
  const { step: bytes } = partsOf(file, stateLayout(trainable));
  new DataView(file.buffer, bytes.byteOffset).setBigUint64(0, BigInt(step), true);
}

function stateLayout(trainable: TensorLayout): TensorLayout {
  const shape = [trainable.elementCount];
  return layoutOf([
    { name: "layout", dtype: "U8", shape: [32] },
    { name: "m", dtype: "F64", shape },
    { name: "step", dtype: "U64", shape: [] },
    { name: "v", dtype: "F64", shape },
    { name: "version", dtype: "U32", shape: [] },
  ]);
}

function partsOf(file: Uint8Array, layout: TensorLayout) {
  const [layoutHash, m, step, v, version] = layout.tensors.map((each) => tensorBytes(file, each));
  const none = new Uint8Array(0);
  return {
    layoutHash: layoutHash ?? none,
    m: m ?? none,
    step: step ?? none,
    v: v ?? none,
    version: version ?? none,
  };
}

/** The file starts its buffer, and what precedes m and v is a multiple of 8 bytes long. */
function viewState(file: Uint8Array, layout: TensorLayout): OptimizerState {
  const { m, v, step } = partsOf(file, layout);
  return {
    file,
    m: new Float64Array(file.buffer, m.byteOffset, m.byteLength / 8),
    v: new Float64Array(file.buffer, v.byteOffset, v.byteLength / 8),
    step: Number(new DataView(file.buffer, step.byteOffset).getBigUint64(0, true)),
  };
}
