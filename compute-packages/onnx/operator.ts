/** What the gate must know of an operator before it lets a graph use it. */

export type Shape = readonly number[];

/** A pooling whose second output says where each maximum was found. */
export type PoolView = {
  readonly inputShape: Shape;
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
};

/** What a rule may look at. */
export type NodeView = {
  /** Shapes of the given inputs, in order. */
  readonly shapes: readonly Shape[];
  /** Value of an integer attribute, or the fallback where it is absent. */
  readonly int: (name: string, fallback: number) => number;
  readonly ints: (name: string) => readonly number[] | undefined;
  /** Elements of an input that is a constant of int64; undefined for any other. */
  readonly constant: (inputIndex: number) => readonly number[] | undefined;
  /** The pooling that made an input as its indices; undefined for any other. */
  readonly pool: (inputIndex: number) => PoolView | undefined;
};

export type AttributeKind = "FLOAT" | "INT" | "INTS";

export type Operator = {
  readonly minInputs: number;
  readonly maxInputs: number;
  readonly attributes: { readonly [name: string]: AttributeKind };
  /** The output's shape; undefined when the inputs' shapes or attributes do not fit. */
  readonly shape: (node: NodeView) => Shape | undefined;
  /** Gives a second output, the indices of a pooling, if a node names one; its shape is that of the first. */
  readonly givesIndices?: true;
  /**
   * A window slides over the axes behind the second. No operand's size there may depend on the batch: a smaller
   * kernel would give a larger output, and what was bounded at the largest batch would not be bounded at all.
   */
  readonly isWindowed?: true;
  /** Multiply-adds; where it is absent, some for each element that goes in or comes out. */
  readonly work?: (node: NodeView, shape: Shape) => number;
  /** Elements of memory that the runtime takes for itself while the node runs. */
  readonly scratchElements?: (node: NodeView, shape: Shape) => number;
};

/** Elements of a tensor of this shape. */
export const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

/** The axis counted from the front, or undefined when there is none. */
export function axisOf(axis: number, rank: number): number | undefined {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) return undefined;
  return axis < 0 ? axis + rank : axis;
}
