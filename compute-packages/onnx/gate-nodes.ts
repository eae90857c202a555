import type { Refuse } from "./gate.ts";
import { MAX_RANK, readAttributes, readInitializer } from "./gate-fields.ts";
import type { GraphContract } from "./graph-contract.ts";
import {
  ELEMENT_WORK,
  MAX_STEP_WORK,
  MAX_TOTAL_ELEMENTS,
  MAX_VALUE_ELEMENTS,
  NODE_WORK,
} from "./limits.ts";
import type { Attribute, Graph, GraphNode } from "./onnx-file.ts";
import { type NodeView, type Operator, type Shape, sizeOf } from "./operator.ts";
import { findOperator } from "./operators.ts";

/**
 * A value's shape with the batch at its largest, and with a batch of one. Every size grows with the batch or stays:
 * so what is bounded at the largest is bounded at each, and what is the same at both is the same at each.
 */
type Sizes = { readonly largest: Shape; readonly single: Shape };

/** What is known of a value while a graph is walked. */
type Known = {
  readonly sizes: Sizes;
  readonly ints?: readonly number[] | undefined;
  readonly pool?: Pool | undefined;
};

type Pool = { readonly input: Sizes; readonly kernel: Shape; readonly strides: Shape };

/** Values are named by their makers; ":" stays free for the runner's own. */
const NAME = /^[A-Za-z0-9_./]{1,160}$/;

/**
 * Walks a graph in its order: every value is made once, before its use, by an allowed operator with allowed
 * attributes, and has a shape that is known and bounded for every batch.
 * @returns multiply-adds of running it once with the largest batch, as far as it was walked
 */
export function checkNodes(graph: Graph, contract: GraphContract, refuse: Refuse): number {
  const values = new Map<string, Known>();
  let elements = 0;
  let scratchElements = 0;
  let work = 0;
  const define = (name: string, known: Known): void => {
    if (!NAME.test(name)) refuse("name-refused", name, "letters, digits and _ . /");
    if (values.has(name)) refuse("name-repeated", name, "each value made once");
    elements += boundedSize(name, sizeOf(known.sizes.largest), refuse);
    values.set(name, known);
  };
  for (const { name, dimensions } of contract.inputs) {
    const withBatch = (batchSize: number) =>
      dimensions.map((size) => (typeof size === "number" ? size : batchSize));
    define(name, { sizes: { largest: withBatch(contract.maxBatchSize), single: withBatch(1) } });
  }
  for (const initializer of graph.initializer ?? []) {
    const known = readInitializer(initializer, refuse);
    if (known === undefined) continue;
    const { shape, ints } = known;
    define(initializer.name ?? "", { sizes: { largest: shape, single: shape }, ints });
  }
  const made = new Set<string>();
  for (const node of graph.node ?? []) {
    // A value without a known shape would make every later reason a consequence of this one.
    const result = resultOfNode(node, values, refuse);
    const [output, indices] = node.output ?? [];
    if (result === undefined || output === undefined) return work;
    define(output, { sizes: result.sizes });
    made.add(output);
    if (indices !== undefined) define(indices, { sizes: result.sizes, pool: result.pool });
    const own = boundedSize(`${node.opType}'s own memory`, result.scratchElements, refuse);
    scratchElements = Math.max(scratchElements, own);
    work += result.work;
  }
  elements += scratchElements;
  if (elements > MAX_TOTAL_ELEMENTS) {
    refuse("value-too-large", `${elements} elements in all`, `at most ${MAX_TOTAL_ELEMENTS}`);
  }
  if (work > MAX_STEP_WORK) {
    refuse(
      "too-much-work",
      `${work} multiply-adds`,
      `at most ${MAX_STEP_WORK} at the largest batch`,
    );
  }
  checkOutputs(contract, values, made, refuse);
  return work;
}

function boundedSize(what: string, elements: number, refuse: Refuse): number {
  if (elements > MAX_VALUE_ELEMENTS) {
    refuse("value-too-large", `${what}: ${elements} elements`, `at most ${MAX_VALUE_ELEMENTS}`);
  }
  return elements;
}

function checkOutputs(
  contract: GraphContract,
  values: ReadonlyMap<string, Known>,
  made: ReadonlySet<string>,
  refuse: Refuse,
): void {
  for (const { name, dimensions } of contract.outputs) {
    const sizes = values.get(name)?.sizes;
    const isMade = made.has(name) && sizes !== undefined;
    const seen = isMade ? `[${sizes.largest}]` : "not made by a node";
    const largest = dimensions.map((size) =>
      typeof size === "number" ? size : contract.maxBatchSize,
    );
    const single = dimensions.map((size) => (typeof size === "number" ? size : 1));
    if (!isMade || `${sizes.largest}` !== `${largest}` || `${sizes.single}` !== `${single}`) {
      refuse("graph-outputs-differ", `${name} ${seen}`, `${name} [${dimensions}]`);
    }
  }
}

type NodeResult = {
  readonly sizes: Sizes;
  /** Of the second output, where there is one. */
  readonly pool: Pool | undefined;
  readonly work: number;
  readonly scratchElements: number;
};

function resultOfNode(
  node: GraphNode,
  values: ReadonlyMap<string, Known>,
  refuse: Refuse,
): NodeResult | undefined {
  const operator = operatorOf(node, refuse);
  if (operator === undefined) return undefined;
  const attributes = readAttributes(node, operator, refuse);
  const operands = readOperands(node, operator, values, refuse);
  if (attributes === undefined || operands === undefined) return undefined;
  const view = viewOf(attributes, operands, "largest");
  const largest = operator.shape(view);
  const single = operator.shape(viewOf(attributes, operands, "single"));
  const isFixed = operator.isWindowed === undefined || operands.every(hasFixedWindowAxes);
  if (largest === undefined || single === undefined || largest.length > MAX_RANK || !isFixed) {
    const seen = `${node.opType} of ${operands.map((each) => `[${each.sizes.largest}]`).join(" ")}`;
    refuse("shape-mismatch", seen, "shapes and attributes the operator takes, for every batch");
    return undefined;
  }
  const sizes = [...view.shapes, largest].map(sizeOf);
  return {
    sizes: { largest, single },
    pool: poolOf(node, attributes, operands),
    work: NODE_WORK + (operator.work?.(view, largest) ?? 0) + ELEMENT_WORK * Math.max(...sizes),
    scratchElements: operator.scratchElements?.(view, largest) ?? 0,
  };
}

function operatorOf(node: GraphNode, refuse: Refuse): Operator | undefined {
  const opType = node.opType ?? "";
  if ((node.domain ?? "") !== "") {
    refuse("domain-refused", node.domain ?? "", "the default domain");
    return undefined;
  }
  if (node.name && !NAME.test(node.name)) {
    refuse("name-refused", node.name, "letters, digits and _ . /");
  }
  const operator = findOperator(opType);
  if (operator === undefined) {
    refuse("operator-not-allowed", opType, "an operator of compute-packages/onnx/operators.ts");
  }
  return operator;
}

function viewOf(
  attributes: ReadonlyMap<string, Attribute>,
  operands: readonly Known[],
  batch: keyof Sizes,
): NodeView {
  return {
    shapes: operands.map(({ sizes }) => sizes[batch]),
    int: (name, fallback) => attributes.get(name)?.i ?? fallback,
    ints: (name) => attributes.get(name)?.ints ?? undefined,
    constant: (index) => operands[index]?.ints,
    pool: (index) => {
      const pool = operands[index]?.pool;
      return pool && { inputShape: pool.input[batch], kernel: pool.kernel, strides: pool.strides };
    },
  };
}

const hasFixedWindowAxes = ({ sizes }: Known): boolean =>
  sizes.largest.slice(2).join() === sizes.single.slice(2).join();

function poolOf(
  node: GraphNode,
  attributes: ReadonlyMap<string, Attribute>,
  operands: readonly Known[],
): Pool | undefined {
  const input = operands[0]?.sizes;
  const kernel = attributes.get("kernel_shape")?.ints ?? [];
  const strides = attributes.get("strides")?.ints ?? kernel.map(() => 1);
  return node.output?.length === 2 && input ? { input, kernel, strides } : undefined;
}

function readOperands(
  node: GraphNode,
  operator: Operator,
  values: ReadonlyMap<string, Known>,
  refuse: Refuse,
): readonly Known[] | undefined {
  const names = node.input ?? [];
  const operands = names.map((name) => values.get(name));
  const missing = names.find((name) => !values.has(name));
  if (missing !== undefined) {
    refuse("operand-refused", `${node.opType} of ${missing}`, "values made before");
    return undefined;
  }
  const fits = names.length >= operator.minInputs && names.length <= operator.maxInputs;
  const outputCount = node.output?.length ?? 0;
  const maxOutputs = operator.givesIndices === undefined ? 1 : 2;
  if (!fits || outputCount < 1 || outputCount > maxOutputs) {
    const seen = `${node.opType}: ${names.length} in, ${outputCount} out`;
    const wanted = `${operator.minInputs} to ${operator.maxInputs} in, 1 to ${maxOutputs} out`;
    refuse("operand-refused", seen, wanted);
    return undefined;
  }
  return operands.filter((operand) => operand !== undefined);
}
