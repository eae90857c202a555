/** ONNX files in our subset (proto/onnx.proto): element types, encoding, strict decoding. */
import protobuf from "protobufjs/minimal.js";
import { equalBytes } from "../../lib/base/bytes.ts";
import { onnx } from "./generated/onnx.js";

export type ModelFile = onnx.ModelProto.$Properties;
export type Graph = onnx.GraphProto.$Properties;
export type GraphNode = onnx.NodeProto.$Properties;
export type Attribute = onnx.AttributeProto.$Properties;
export type Initializer = onnx.TensorProto.$Properties;
export type ValueInfo = onnx.ValueInfoProto.$Properties;

/** ONNX TensorProto.DataType and bytes per element, by the dtype names of safetensors. */
export const ELEMENT_TYPES = {
  F32: { code: 1, sizeBytes: 4 },
  U8: { code: 2, sizeBytes: 1 },
  I32: { code: 6, sizeBytes: 4 },
  I64: { code: 7, sizeBytes: 8 },
  BOOL: { code: 9, sizeBytes: 1 },
} as const;
export type ElementDtype = keyof typeof ELEMENT_TYPES;

/** A number, or the name of an axis whose size is known when the graph runs. */
export type Dimension = number | string;

/** ONNX AttributeProto.AttributeType. */
export const ATTRIBUTE_TYPES = { FLOAT: 1, INT: 2, GRAPH: 5, INTS: 7 } as const;

/** What a graph calls its example axis. */
export const BATCH_AXIS = "batch";

/** The dtype with this ONNX code, or undefined for those outside the subset. */
export function dtypeOfCode(code: number | null | undefined): ElementDtype | undefined {
  const dtypes = Object.keys(ELEMENT_TYPES) as ElementDtype[];
  return dtypes.find((dtype) => ELEMENT_TYPES[dtype].code === code);
}

/** An input or output of a graph. */
export function valueInfo(
  name: string,
  dtype: ElementDtype,
  dimensions: readonly Dimension[],
): ValueInfo {
  const dim = dimensions.map((size) =>
    typeof size === "number" ? { dimValue: size } : { dimParam: size },
  );
  return { name, type: { tensorType: { elemType: ELEMENT_TYPES[dtype].code, shape: { dim } } } };
}

/** The file with exactly these fields, in field order. */
export function encodeModel(model: ModelFile): Uint8Array {
  return new Uint8Array(onnx.ModelProto.encode(model).finish());
}

/**
 * Reads a file that holds our subset and nothing else.
 * @returns the model, "malformed" when it is not protobuf, or "unknown-fields" when encoding what was understood
 *   gives other bytes: fields outside the subset, numbers past 2^53, repeated fields, another order
 */
export function decodeModel(bytes: Uint8Array): ModelFile | "malformed" | "unknown-fields" {
  let model: ModelFile;
  try {
    model = onnx.ModelProto.decode(strictReader(bytes));
    return equalBytes(encodeModel(model), bytes) ? model : "unknown-fields";
  } catch {
    return "malformed";
  }
}

function strictReader(bytes: Uint8Array): protobuf.Reader {
  const reader = protobuf.Reader.create(bytes);
  // Kept unknown fields would be written back and compare as equal.
  reader.discardUnknown = true;
  // Where the package `long` is installed protobufjs gives its objects, in spite of the generated types.
  const readInt64 = reader.int64;
  return Object.assign(reader, { int64: () => Number(String(readInt64.call(reader))) });
}
