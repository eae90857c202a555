/** The parts of nodes and constants, each checked before anything is made of it. */
import type { Refuse } from "./gate.ts";
import { MAX_ATTRIBUTE_ENTRIES, MAX_INITIALIZER_ELEMENTS } from "./limits.ts";
import {
  ATTRIBUTE_TYPES,
  type Attribute,
  dtypeOfCode,
  ELEMENT_TYPES,
  type GraphNode,
  type Initializer,
} from "./onnx-file.ts";
import type { Operator, Shape } from "./operator.ts";

/** Axes of any value. */
export const MAX_RANK = 8;

/** The attributes of a node by name; undefined, with a reason, if one is not as its operator allows. */
export function readAttributes(
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

/** A constant whose bytes are as many as its shape asks for; small int64 ones with their elements. */
export function readInitializer(
  initializer: Initializer,
  refuse: Refuse,
): { readonly shape: Shape; readonly ints?: readonly number[] } | undefined {
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
