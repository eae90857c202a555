/** Safetensors files: any valid one for import, and the canonical form, of which each model has exactly one. */
import { equalBytes } from "../base/bytes.ts";
import { printable } from "../base/refusal.ts";
import { dtypeSizeBytes } from "./dtype.ts";
import {
  elementCountOf,
  layoutOf,
  type PlacedTensor,
  type TensorLayout,
  type TensorSpec,
} from "./layout.ts";
import { MAX_FILE_BYTES, MAX_HEADER_BYTES } from "./limits.ts";
import { type HeaderEntry, parseHeader } from "./safetensors-header.ts";
import { TensorError } from "./tensor-error.ts";

/** A tensor and its elements: little-endian, row-major, at any alignment. */
export type TensorData = TensorSpec & { readonly data: Uint8Array };

export type SafetensorsFile = {
  /** In the order of their data; `data` are views of the file. */
  readonly tensors: readonly TensorData[];
  readonly metadata: ReadonlyMap<string, string>;
};

const LENGTH_BYTES = 8;

/**
 * Reads any valid safetensors file, as written by other tools: tensors in any order, metadata, other padding.
 * Every byte is accounted for: data without gaps or overlaps, nothing behind it.
 * @throws TensorError "truncated" | "trailing-bytes" | "header-too-large" | "header-not-utf8" |
 *   "bad-offsets" | "size-mismatch" | "too-large" and those of parseHeader
 */
export function parseSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { text, dataStart } = headerText(bytes);
  const { entries, metadata } = parseHeader(text);
  const dataBytes = bytes.byteLength - dataStart;
  const sorted = entries.toSorted((a, b) => a.beginBytes - b.beginBytes || a.endBytes - b.endBytes);
  let end = 0;
  const tensors = sorted.map((entry) => {
    if (entry.beginBytes !== end || entry.endBytes < entry.beginBytes) {
      throw new TensorError("bad-offsets", `${printable(entry.name)} overlaps or leaves a gap`);
    }
    if (entry.endBytes > dataBytes) {
      throw new TensorError("truncated", `${printable(entry.name)} ends behind the file`);
    }
    checkSize(entry);
    end = entry.endBytes;
    const data = bytes.subarray(dataStart + entry.beginBytes, dataStart + entry.endBytes);
    return { name: entry.name, dtype: entry.dtype, shape: entry.shape, data };
  });
  if (end !== dataBytes) {
    throw new TensorError("trailing-bytes", `${dataBytes - end} bytes behind the last tensor`);
  }
  return { tensors, metadata };
}

/**
 * Reads a file that must already be canonical: at least one tensor, sorted by the UTF-8 bytes of the names,
 * compact header padded with spaces to a multiple of 8, no metadata. Any other spelling is refused.
 * @returns the layout; its offsets are those of the given bytes
 * @throws TensorError "not-canonical" and those of parseSafetensors
 */
export function parseModel(bytes: Uint8Array): { readonly layout: TensorLayout } {
  const file = parseSafetensors(bytes);
  const layout = layoutOf(file.tensors);
  if (
    layout.tensors.length === 0 ||
    layout.sizeBytes !== bytes.byteLength ||
    !equalBytes(layout.header, bytes.subarray(0, layout.header.byteLength))
  ) {
    throw new TensorError("not-canonical", "the file is safetensors, but not in canonical form");
  }
  return { layout };
}

/**
 * The canonical file of some tensors, given in any order.
 * @throws TensorError "size-mismatch" if data is not as long as shape and dtype say, and those of layoutOf
 */
export function writeSafetensors(tensors: readonly TensorData[]): Uint8Array {
  const layout = layoutOf(tensors);
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor.data]));
  const bytes = new Uint8Array(layout.sizeBytes);
  bytes.set(layout.header);
  for (const tensor of layout.tensors) {
    const data = byName.get(tensor.name);
    if (data?.byteLength !== tensor.sizeBytes) {
      throw new TensorError("size-mismatch", `data of ${printable(tensor.name)} has another size`);
    }
    bytes.set(data, tensor.offsetBytes);
  }
  return bytes;
}

/** View of one tensor's elements within a file of the layout it was placed by. */
export const tensorBytes = (file: Uint8Array, tensor: PlacedTensor): Uint8Array =>
  file.subarray(tensor.offsetBytes, tensor.offsetBytes + tensor.sizeBytes);

function headerText(bytes: Uint8Array): { readonly text: string; readonly dataStart: number } {
  if (bytes.byteLength < LENGTH_BYTES) {
    throw new TensorError("truncated", "no room for the header's length");
  }
  if (bytes.byteLength > MAX_FILE_BYTES) {
    throw new TensorError("too-large", `${bytes.byteLength} bytes, at most ${MAX_FILE_BYTES}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES);
  const lengthBytes = view.getUint32(0, true);
  if (view.getUint32(4, true) !== 0 || lengthBytes > MAX_HEADER_BYTES) {
    throw new TensorError("header-too-large", `header past ${MAX_HEADER_BYTES} bytes`);
  }
  const dataStart = LENGTH_BYTES + lengthBytes;
  if (dataStart > bytes.byteLength) {
    throw new TensorError("truncated", `header of ${lengthBytes} bytes ends behind the file`);
  }
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return { text: decoder.decode(bytes.subarray(LENGTH_BYTES, dataStart)), dataStart };
  } catch (cause) {
    throw new TensorError("header-not-utf8", "the header is not UTF-8", { cause });
  }
}

function checkSize(entry: HeaderEntry): void {
  const wanted = elementCountOf(entry.shape) * dtypeSizeBytes(entry.dtype);
  const seen = entry.endBytes - entry.beginBytes;
  if (wanted !== seen) {
    const name = printable(entry.name);
    throw new TensorError("size-mismatch", `${name} spans ${seen} bytes, its shape ${wanted}`);
  }
}
