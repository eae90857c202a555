/** Operators that only move elements. Their shapes come from constants, so that nothing computed decides a size. */
import { ELEMENT_WORK, SCATTERED_FACTOR } from "./limits.ts";
import { axisOf, type NodeView, type Operator, type Shape, sizeOf } from "./operator.ts";

/** Elements in another shape; the shape is a constant, 0 keeps the input's axis, one -1 takes what is left. */
export const RESHAPE: Operator = {
  minInputs: 2,
  maxInputs: 2,
  attributes: {},
  shape: (node) => {
    const input = node.shapes[0];
    const wanted = node.constant(1);
    if (input === undefined || wanted === undefined || node.shapes[1]?.length !== 1)
      return undefined;
    const sizes = wanted.map((size, axis) => (size === 0 ? (input[axis] ?? Number.NaN) : size));
    const open = sizes.indexOf(-1);
    if (open >= 0) sizes[open] = sizeOf(input) / sizeOf(sizes.toSpliced(open, 1));
    const fits = sizes.every((size) => Number.isInteger(size) && size >= 1);
    return fits && sizeOf(sizes) === sizeOf(input) ? sizes : undefined;
  },
};

/** The part from start to before end along one axis; both are constants and lie inside. */
export const SLICE: Operator = {
  minInputs: 4,
  maxInputs: 4,
  attributes: {},
  shape: (node) => {
    const input = node.shapes[0];
    const [start, end, wantedAxis] = [1, 2, 3].map((index) => single(node, index));
    if (input === undefined || start === undefined || end === undefined) return undefined;
    const axis = axisOf(wantedAxis ?? Number.NaN, input.length);
    if (axis === undefined || start < 0 || end <= start || end > (input[axis] ?? 0))
      return undefined;
    return input.with(axis, end - start);
  },
};

/** Tensors one after the other along an axis. */
export const CONCAT: Operator = {
  minInputs: 1,
  maxInputs: 1024,
  attributes: { axis: "INT" },
  shape: (node) => {
    const [input, ...others] = node.shapes;
    const axis = axisOf(node.int("axis", Number.NaN), input?.length ?? 0);
    if (input === undefined || axis === undefined) return undefined;
    return others.reduce<Shape | undefined>((sum, other) => {
      const fits =
        sum?.length === other.length && other.every((size, at) => at === axis || size === sum[at]);
      return fits ? sum.with(axis, (sum[axis] ?? 0) + (other[axis] ?? 0)) : undefined;
    }, input);
  },
};

/** The axes in another order. */
export const TRANSPOSE: Operator = {
  minInputs: 1,
  maxInputs: 1,
  attributes: { perm: "INTS" },
  work: (node, shape) => {
    const isBlockwise = node.ints("perm")?.at(-1) === shape.length - 1;
    return isBlockwise ? 0 : (SCATTERED_FACTOR - 1) * ELEMENT_WORK * sizeOf(shape);
  },
  shape: (node) => {
    const shape = node.shapes[0];
    if (shape === undefined) return undefined;
    const order = node.ints("perm");
    if (order === undefined) return shape.toReversed();
    if (order.length !== shape.length || new Set(order).size !== order.length) return undefined;
    const sizes = order.map((axis) => shape[axis]);
    return sizes.every((size) => size !== undefined) ? sizes : undefined;
  },
};

function single(node: NodeView, inputIndex: number): number | undefined {
  const values = node.constant(inputIndex);
  return values?.length === 1 && node.shapes[inputIndex]?.length === 1 ? values[0] : undefined;
}
