/**
 * The operators a package may use, each with the rule that gives its output's shape. An operator without a rule
 * cannot be bounded before it runs, so it is not allowed. Rules follow the ONNX operator reference, opset 17.
 */
import { ELEMENT_WORK, SCATTERED_FACTOR } from "./limits.ts";
import { ELEMENT_TYPES } from "./onnx-file.ts";
import { axisOf, type NodeView, type Operator, type Shape, sizeOf } from "./operator.ts";
import { CONCAT, RESHAPE, SLICE, TRANSPOSE } from "./shaping-operators.ts";
import { CONV, CONV_TRANSPOSE, MAX_POOL, MAX_UNPOOL } from "./window-operators.ts";

const first = (node: NodeView): Shape | undefined => node.shapes[0];

const unary: Operator = { minInputs: 1, maxInputs: 1, attributes: {}, shape: first };

const broadcasting = (inputCount: number): Operator => ({
  minInputs: inputCount,
  maxInputs: inputCount,
  attributes: {},
  shape: (node) => node.shapes.reduce<Shape | undefined>(broadcast, []),
});

const alongAxis: Operator = {
  ...unary,
  attributes: { axis: "INT" },
  shape: (node) => {
    const shape = first(node);
    return shape && axisOf(node.int("axis", -1), shape.length) !== undefined ? shape : undefined;
  },
};

const reducing = (axesFrom: "attribute" | "input"): Operator => ({
  minInputs: 1,
  maxInputs: axesFrom === "input" ? 2 : 1,
  attributes: axesFrom === "input" ? { keepdims: "INT" } : { keepdims: "INT", axes: "INTS" },
  shape: (node) => {
    const isAll = axesFrom === "input" ? node.shapes.length < 2 : node.ints("axes") === undefined;
    const axes = axesFrom === "input" ? node.constant(1) : node.ints("axes");
    return reduceShape(first(node), isAll ? "all" : axes, node.int("keepdims", 1) !== 0);
  },
});

/** The allow-list: arity, attributes, dtypes and shape rule of every operator that packages may use. */
export const OPERATORS = {
  Abs: unary,
  Add: broadcasting(2),
  ArgMax: {
    ...unary,
    attributes: { axis: "INT", keepdims: "INT" },
    shape: (node) => reduceShape(first(node), [node.int("axis", 0)], node.int("keepdims", 1) !== 0),
    // Along any axis but the last it jumps through memory, and is as slow along that.
    work: (node) => (SCATTERED_FACTOR - 1) * ELEMENT_WORK * sizeOf(first(node) ?? []),
  },
  Cast: {
    ...unary,
    attributes: { to: "INT" },
    shape: (node) => (isAllowedElementType(node.int("to", 0)) ? first(node) : undefined),
  },
  Concat: CONCAT,
  Conv: CONV,
  ConvTranspose: CONV_TRANSPOSE,
  Div: broadcasting(2),
  Equal: broadcasting(2),
  Exp: unary,
  Gemm: {
    minInputs: 2,
    maxInputs: 3,
    attributes: { alpha: "FLOAT", beta: "FLOAT", transA: "INT", transB: "INT" },
    shape: gemmShape,
    work: gemmWork,
  },
  Greater: broadcasting(2),
  Identity: unary,
  Less: broadcasting(2),
  Log: unary,
  LogSoftmax: alongAxis,
  MatMul: { minInputs: 2, maxInputs: 2, attributes: {}, shape: gemmShape, work: gemmWork },
  Max: broadcasting(2),
  MaxPool: MAX_POOL,
  MaxUnpool: MAX_UNPOOL,
  Min: broadcasting(2),
  Mul: broadcasting(2),
  Neg: unary,
  OneHot: {
    minInputs: 3,
    maxInputs: 3,
    attributes: { axis: "INT" },
    shape: oneHotShape,
  },
  Pow: broadcasting(2),
  ReduceMax: reducing("attribute"),
  ReduceMean: reducing("attribute"),
  ReduceSum: reducing("input"),
  Relu: unary,
  Reshape: RESHAPE,
  Sigmoid: unary,
  Sign: unary,
  Size: { ...unary, shape: (node) => (first(node) ? [] : undefined) },
  Slice: SLICE,
  Softmax: alongAxis,
  Sqrt: unary,
  Sub: broadcasting(2),
  Tanh: unary,
  Transpose: TRANSPOSE,
  Where: broadcasting(3),
} as const satisfies { readonly [opType: string]: Operator };

export type OpType = keyof typeof OPERATORS;

/** The operator of this name, if packages may use it. */
export const findOperator = (opType: string): Operator | undefined =>
  Object.hasOwn(OPERATORS, opType) ? OPERATORS[opType as OpType] : undefined;

function broadcast(a: Shape | undefined, b: Shape): Shape | undefined {
  if (a === undefined) return undefined;
  const rank = Math.max(a.length, b.length);
  const sizes = Array.from({ length: rank }, (_, index) => {
    const x = a[index - rank + a.length] ?? 1;
    const y = b[index - rank + b.length] ?? 1;
    return x === y || y === 1 ? x : x === 1 ? y : undefined;
  });
  return sizes.every((size) => size !== undefined) ? sizes : undefined;
}

function gemmShape(node: NodeView): Shape | undefined {
  const [a, b, c] = node.shapes;
  if (a?.length !== 2 || b?.length !== 2) return undefined;
  const [rows, inner] = node.int("transA", 0) === 0 ? a : [a[1], a[0]];
  const [other, columns] = node.int("transB", 0) === 0 ? b : [b[1], b[0]];
  if (rows === undefined || columns === undefined || inner !== other) return undefined;
  const shape = [rows, columns];
  if (c === undefined) return shape;
  const sum = broadcast(shape, c);
  return sum?.length === 2 && sum[0] === rows && sum[1] === columns ? shape : undefined;
}

/** Rows × columns × what is summed over. */
function gemmWork(node: NodeView, shape: Shape): number {
  return (sizeOf(shape) * sizeOf(node.shapes[0] ?? [])) / Math.max(1, shape[0] ?? 1);
}

function oneHotShape(node: NodeView): Shape | undefined {
  const indices = first(node);
  const depth = node.constant(1);
  const size = depth?.[0];
  const values = node.shapes[2];
  if (!indices || depth?.length !== 1 || size === undefined || size < 1) return undefined;
  if (values?.length !== 1 || values[0] !== 2) return undefined;
  const axis = axisOf(node.int("axis", -1), indices.length + 1);
  return axis === undefined ? undefined : indices.toSpliced(axis, 0, size);
}

function reduceShape(
  shape: Shape | undefined,
  axes: readonly number[] | "all" | undefined,
  keepsAxes: boolean,
): Shape | undefined {
  if (shape === undefined || axes === undefined) return undefined;
  const all = shape.map((_size, axis) => axis);
  const reduced = axes === "all" ? all : axes.map((axis) => axisOf(axis, shape.length));
  // An empty list means all axes to some operators and none to others.
  if (reduced.length === 0 && axes !== "all") return undefined;
  if (reduced.includes(undefined) || new Set(reduced).size !== reduced.length) return undefined;
  if (keepsAxes) return shape.map((size, axis) => (reduced.includes(axis) ? 1 : size));
  return shape.filter((_size, axis) => !reduced.includes(axis));
}

const isAllowedElementType = (code: number): boolean =>
  Object.values(ELEMENT_TYPES).some((type) => type.code === code);
