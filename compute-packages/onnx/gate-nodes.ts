import type { Refuse } from "./gate.ts";
import type { GraphContract } from "./graph-contract.ts";
import {
  MAX_ATTRIBUTE_ENTRIES,
  MAX_INITIALIZER_ELEMENTS,
  MAX_TOTAL_ELEMENTS,
  MAX_VALUE_ELEMENTS,
} from "./limits.ts";
import {
  ATTRIBUTE_TYPES,
  type Attribute,
  dtypeOfCode,
  ELEMENT_TYPES,
  type Graph,
  type GraphNode,
  type Initializer,
} from "./onnx-file.ts";
import { findOperator, type Operator, type Shape } from "./operators.ts";

/** What is known of a value while a graph is walked. */
type Known = { readonly shape: Shape; readonly ints?: readonly number[] };

/** Values are named by their makers; ":" stays free for the runner's own. */
const NAME = /^[A-Za-z0-9_./]{1,160}$/;
const MAX_RANK = 8;

/**
 * Walks a graph in its order: every value is made once, before its use, by an allowed operator with allowed
 * attributes, and has a shape that is known and bounded with the batch axis at its largest.
 */
export function checkNodes(graph: Graph, contract: GraphContract, refuse: Refuse): void {
  const values = new Map<string, Known>();
  let totalElements = 0;
  const define = (name: string, known: Known): void => {
    if (!NAME.test(name)) refuse("name-refused", name, "letters, digits and _ . /");
    if (values.has(name)) refuse("name-repeated", name, "each value made once");
    const elements = known.shape.reduce((a, b) => a * b, 1);
    if (elements > MAX_VALUE_ELEMENTS) {
      refuse("value-too-large", `${name}: ${elements} elements`, `at most ${MAX_VALUE_ELEMENTS}`);
    }
    totalElements += elements;
    values.set(name, known);
  };
  for (const { name, dimensions } of contract.inputs) {
    const shape = dimensions.map((size) =>
      typeof size === "number" ? size : contract.maxBatchSize,
    );
    define(name, { shape });
  }
  for (const initializer of graph.initializer ?? []) {
    const known = readInitializer(initializer, refuse);
    if (known) define(initializer.name ?? "", known);
  }
  const made = new Set<string>();
  for (const node of graph.node ?? []) {
    // A value without a known shape would make every later reason a consequence of this one.
    const shape = shapeOfNode(node, values, refuse);
    const output = node.output?.[0];
    if (shape === undefined || output === undefined) return;
    define(output, { shape });
    made.add(output);
  }
  if (totalElements > MAX_TOTAL_ELEMENTS) {
    refuse("value-too-large", `${totalElements} elements in all`, `at most ${MAX_TOTAL_ELEMENTS}`);
  }
  checkOutputs(contract, values, made, refuse);
}

function checkOutputs(
  contract: GraphContract,
  values: ReadonlyMap<string, Known>,
  made: ReadonlySet<string>,
  refuse: Refuse,
): void {
  for (const { name, dimensions } of contract.outputs) {
    const seen = made.has(name) ? `[${values.get(name)?.shape}]` : "not made by a node";
    const wanted = `[${dimensions}]`;
    if (seen !== wanted) refuse("graph-outputs-differ", `${name} ${seen}`, `${name} ${wanted}`);
  }
}

function shapeOfNode(
  node: GraphNode,
  values: ReadonlyMap<string, Known>,
  refuse: Refuse,
): Shape | undefined {
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
    return undefined;
  }
  const attributes = readAttributes(node, operator, refuse);
  const operands = readOperands(node, operator, values, refuse);
  if (attributes === undefined || operands === undefined) return undefined;
  const shape = operator.shape({
    shapes: operands.map((operand) => operand.shape),
    int: (name, fallback) => attributes.get(name)?.i ?? fallback,
    ints: (name) => attributes.get(name)?.ints ?? undefined,
    constant: (index) => operands[index]?.ints,
  });
  if (shape === undefined || shape.length > MAX_RANK) {
    const seen = `${opType} of ${operands.map((each) => `[${each.shape}]`).join(" ")}`;
    refuse("shape-mismatch", seen, "shapes and attributes the operator takes");
    return undefined;
  }
  return shape;
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
  if (!fits || node.output?.length !== 1) {
    const seen = `${node.opType}: ${names.length} in, ${node.output?.length ?? 0} out`;
    refuse("operand-refused", seen, `${operator.minInputs} to ${operator.maxInputs} in, 1 out`);
    return undefined;
  }
  return operands.filter((operand) => operand !== undefined);
}

function readAttributes(
  node: GraphNode,
  operator: Operator,
  refuse: Refuse,
): ReadonlyMap<string, Attribute> | undefined {
  const attributes = new Map<string, Attribute>();
  for (const attribute of node.attribute ?? []) {
    const name = attribute.name ?? "";
    const kind = Object.hasOwn(operator.attributes, name) ? operator.attributes[name] : undefined;
    if (kind === undefined || attributes.has(name) || !isOfKind(attribute, kind)) {
      refuse("attribute-refused", `${node.opType}.${name}`, kind ?? "an attribute it may have");
      return undefined;
    }
    attributes.set(name, attribute);
  }
  return attributes;
}

function isOfKind(attribute: Attribute, kind: "FLOAT" | "INT" | "INTS"): boolean {
  const { f, i, s, t, g } = attribute;
  const floats = attribute.floats ?? [];
  const ints = attribute.ints ?? [];
  if (attribute.type !== ATTRIBUTE_TYPES[kind] || s != null || t != null || g != null) return false;
  const held = [f != null, i != null, floats.length > 0, ints.length > 0];
  const wanted = [kind === "FLOAT", kind === "INT", false, kind === "INTS" && ints.length > 0];
  if (held.some((isHeld, index) => isHeld !== wanted[index])) return false;
  return ints.length <= MAX_ATTRIBUTE_ENTRIES && (f == null || Number.isFinite(f));
}

function readInitializer(initializer: Initializer, refuse: Refuse): Known | undefined {
  const shape = initializer.dims ?? [];
  const dtype = dtypeOfCode(initializer.dataType);
  const elements = shape.reduce((a, b) => a * b, 1);
  const raw = initializer.rawData ?? new Uint8Array();
  const isShape = shape.length <= MAX_RANK && shape.every((size) => size >= 1);
  const fits = isShape && elements <= MAX_INITIALIZER_ELEMENTS;
  if (!dtype || !fits || raw.byteLength !== elements * ELEMENT_TYPES[dtype].sizeBytes) {
    const seen = `${initializer.name} ${dtype ?? "?"}[${shape}], ${raw.byteLength} bytes`;
    const wanted = `at most ${MAX_INITIALIZER_ELEMENTS} elements, all in raw_data`;
    refuse("initializer-refused", seen, wanted);
    return undefined;
  }
  return dtype === "I64" && elements <= MAX_RANK ? { shape, ints: readInts(raw) } : { shape };
}

function readInts(raw: Uint8Array): readonly number[] {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const count = raw.byteLength / ELEMENT_TYPES.I64.sizeBytes;
  return Array.from({ length: count }, (_, index) => Number(view.getBigInt64(index * 8, true)));
}
