/**
 * The operators a package may use, each with the rule that gives its output's shape. An operator without a rule
 * cannot be bounded before it runs, so it is not allowed. Rules follow the ONNX operator reference, opset 17.
 */
import { ELEMENT_TYPES } from "./onnx-file.ts";

export type Shape = readonly number[];

/** What a rule may look at. */
export type NodeView = {
  /** Shapes of the given inputs, in order. */
  readonly shapes: readonly Shape[];
  /** Value of an integer attribute, or the fallback where it is absent. */
  readonly int: (name: string, fallback: number) => number;
  readonly ints: (name: string) => readonly number[] | undefined;
  /** Elements of an input that is a constant of int64; undefined for any other. */
  readonly constant: (inputIndex: number) => readonly number[] | undefined;
};

export type AttributeKind = "FLOAT" | "INT" | "INTS";

export type Operator = {
  readonly minInputs: number;
  readonly maxInputs: number;
  readonly attributes: { readonly [name: string]: AttributeKind };
  /** The output's shape; undefined when the inputs' shapes or attributes do not fit. */
  readonly shape: (node: NodeView) => Shape | undefined;
};

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
  },
  Cast: {
    ...unary,
    attributes: { to: "INT" },
    shape: (node) => (isAllowedElementType(node.int("to", 0)) ? first(node) : undefined),
  },
  Div: broadcasting(2),
  Equal: broadcasting(2),
  Exp: unary,
  Gemm: {
    minInputs: 2,
    maxInputs: 3,
    attributes: { alpha: "FLOAT", beta: "FLOAT", transA: "INT", transB: "INT" },
    shape: gemmShape,
  },
  Greater: broadcasting(2),
  Identity: unary,
  Less: broadcasting(2),
  Log: unary,
  LogSoftmax: alongAxis,
  MatMul: { minInputs: 2, maxInputs: 2, attributes: {}, shape: gemmShape },
  Max: broadcasting(2),
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
  Sigmoid: unary,
  Sign: unary,
  Size: { ...unary, shape: (node) => (first(node) ? [] : undefined) },
  Softmax: alongAxis,
  Sqrt: unary,
  Sub: broadcasting(2),
  Tanh: unary,
  Transpose: { ...unary, attributes: { perm: "INTS" }, shape: transposeShape },
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

function transposeShape(node: NodeView): Shape | undefined {
  const shape = first(node);
  if (shape === undefined) return undefined;
  const order = node.ints("perm");
  if (order === undefined) return shape.toReversed();
  if (order.length !== shape.length || new Set(order).size !== order.length) return undefined;
  const sizes = order.map((axis) => shape[axis]);
  return sizes.every((size) => size !== undefined) ? sizes : undefined;
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

function axisOf(axis: number, rank: number): number | undefined {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) return undefined;
  return axis < 0 ? axis + rank : axis;
}

const isAllowedElementType = (code: number): boolean =>
  Object.values(ELEMENT_TYPES).some((type) => type.code === code);
