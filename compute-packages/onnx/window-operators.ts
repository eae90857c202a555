/**
 * Convolution, pooling and what turns them round for gradients, over rows and columns: for other numbers of axes the
 * runtime has general code that was measured thirty times as slow. Not allowed, because nothing here needs them:
 * groups, automatic padding, rounding up, paddings and shapes of the output that a node would choose itself.
 */
import { ELEMENT_WORK, MAX_WINDOW_SIZE } from "./limits.ts";
import { type NodeView, type Operator, type Shape, sizeOf } from "./operator.ts";

/** One entry per axis that the window slides over. */
type Window = {
  readonly kernel: Shape;
  readonly strides: readonly number[];
  /** From a window's first element to one behind its last. */
  readonly extents: readonly number[];
  /** Both ends together. */
  readonly padding: readonly number[];
};

const WINDOW = { kernel_shape: "INTS", strides: "INTS", pads: "INTS" } as const;

/** [batch, in, …] by [out, in, …kernel], with bias [out] if it is given. */
export const CONV: Operator = {
  minInputs: 2,
  maxInputs: 3,
  attributes: { ...WINDOW, dilations: "INTS" },
  isWindowed: true,
  shape: (node) => {
    const [input, weight] = node.shapes;
    const window = readWindow(node, weight?.slice(2));
    if (!input || !weight || !window || input.length !== weight.length) return undefined;
    const [outputs, inputs] = weight;
    if (inputs !== input[1] || !isBias(node.shapes[2], outputs)) return undefined;
    return slide(input, outputs, window);
  },
  work: (node, shape) =>
    (sizeOf(shape) * sizeOf(node.shapes[1] ?? [])) / (shape[1] ?? 1) +
    ELEMENT_WORK * (shape[0] ?? 1) * columnElements(node.shapes[1], shape),
  scratchElements: (node, shape) => columnElements(node.shapes[1], shape),
};

/** [batch, in, …] by [in, out, …kernel]: what turns a convolution with the same weight round. */
export const CONV_TRANSPOSE: Operator = {
  minInputs: 2,
  maxInputs: 3,
  attributes: { ...WINDOW, dilations: "INTS" },
  isWindowed: true,
  shape: (node) => {
    const [input, weight] = node.shapes;
    const window = readWindow(node, weight?.slice(2));
    if (!input || !weight || !window || input.length !== weight.length) return undefined;
    const [inputs, outputs] = weight;
    if (inputs !== input[1] || !isBias(node.shapes[2], outputs)) return undefined;
    return spread(input, outputs, window);
  },
  work: ({ shapes: [input = [], weight = []] }) =>
    (sizeOf(input) * sizeOf(weight)) / (input[1] ?? 1) +
    ELEMENT_WORK * (input[0] ?? 1) * columnElements(weight, input),
  scratchElements: ({ shapes: [input = [], weight] }) => columnElements(weight, input),
};

/** The largest of each window and, as second output, where it was found; of equals, the first in row-major order. */
export const MAX_POOL: Operator = {
  minInputs: 1,
  maxInputs: 1,
  attributes: WINDOW,
  givesIndices: true,
  isWindowed: true,
  shape: (node) => {
    const [input] = node.shapes;
    const window = readWindow(node, node.ints("kernel_shape"));
    return input && window ? slide(input, input[1], window) : undefined;
  },
  work: (node, shape) => ELEMENT_WORK * sizeOf(shape) * sizeOf(node.ints("kernel_shape") ?? []),
};

/**
 * Puts each element where a pooling found its maximum, zero elsewhere. Its second input must be the indices that a
 * MaxPool of the same window gave, and its output is as large as what that one read: an index that a package could
 * compute would be a place in memory that it could choose.
 */
export const MAX_UNPOOL: Operator = {
  minInputs: 2,
  maxInputs: 2,
  attributes: { kernel_shape: "INTS", strides: "INTS" },
  isWindowed: true,
  shape: (node) => {
    const [input, indices] = node.shapes;
    const pool = node.pool(1);
    const window = readWindow(node, node.ints("kernel_shape"));
    if (!input || !indices || !pool || !window) return undefined;
    if (!isSame(window.kernel, pool.kernel) || !isSame(window.strides, pool.strides))
      return undefined;
    const shape = isSame(input, indices) ? spread(input, input[1], window) : undefined;
    return shape && isSame(shape, pool.inputShape) ? shape : undefined;
  },
};

/** The runtime lays the windows of one image out as the columns of a matrix, or puts such columns together again. */
const columnElements = (weight: Shape = [], places: Shape = []): number =>
  sizeOf(weight.slice(1)) * sizeOf(places.slice(2));

const isBias = (shape: Shape | undefined, outputs: number | undefined): boolean =>
  shape === undefined || (shape.length === 1 && shape[0] === outputs);

const isSame = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, index) => size === b[index]);

/** The window as the attributes say; undefined if they say nothing sound. @param kernel  sizes it must have */
function readWindow(node: NodeView, kernel: Shape | undefined): Window | undefined {
  if (kernel === undefined || kernel.length !== 2) return undefined;
  const ones = kernel.map(() => 1);
  const strides = node.ints("strides") ?? ones;
  const dilations = node.ints("dilations") ?? ones;
  const pads = node.ints("pads") ?? [...kernel, ...kernel].map(() => 0);
  const rank = kernel.length;
  if (strides.length !== rank || dilations.length !== rank || pads.length !== 2 * rank)
    return undefined;
  if (!isSame(node.ints("kernel_shape") ?? kernel, kernel)) return undefined;
  if (![...kernel, ...strides, ...dilations].every(isWindowSize)) return undefined;
  const extents = kernel.map((size, axis) => (size - 1) * (dilations[axis] ?? 1) + 1);
  // A window that lies in padding alone has no maximum and adds nothing to a sum.
  const isSound = pads.every(
    (pad, at) => Number.isInteger(pad) && pad >= 0 && pad < (extents[at % rank] ?? 0),
  );
  if (!isSound) return undefined;
  const padding = kernel.map((_size, axis) => (pads[axis] ?? 0) + (pads[axis + rank] ?? 0));
  return { kernel, strides, extents, padding };
}

const isWindowSize = (size: number): boolean =>
  Number.isInteger(size) && size >= 1 && size <= MAX_WINDOW_SIZE;

/** Where the window fits: (size + padding − extent) / stride + 1, rounded down. */
function slide(input: Shape, channels: number | undefined, window: Window): Shape | undefined {
  return overAxes(
    input,
    channels,
    window,
    (size, stride, extent, padding) => Math.floor((size + padding - extent) / stride) + 1,
  );
}

/** What a window that was slid gives back: (size − 1) · stride + extent − padding. */
function spread(input: Shape, channels: number | undefined, window: Window): Shape | undefined {
  return overAxes(
    input,
    channels,
    window,
    (size, stride, extent, padding) => (size - 1) * stride + extent - padding,
  );
}

function overAxes(
  input: Shape,
  channels: number | undefined,
  { kernel, strides, extents, padding }: Window,
  size: (input: number, stride: number, extent: number, padding: number) => number,
): Shape | undefined {
  const [batch, , ...axes] = input;
  if (batch === undefined || channels === undefined || axes.length !== kernel.length)
    return undefined;
  const sizes = axes.map((each, axis) =>
    size(each, strides[axis] ?? 1, extents[axis] ?? 1, padding[axis] ?? 0),
  );
  return sizes.every((each) => each >= 1) ? [batch, channels, ...sizes] : undefined;
}
