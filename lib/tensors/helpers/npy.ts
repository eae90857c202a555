/** NumPy's .npy: magic, version, a Python dictionary with dtype, order and shape, then the elements. */
import { concatBytes, utf8 } from "../../base/bytes.ts";
import { type Dtype, dtypeSizeBytes } from "../dtype.ts";
import { elementCountOf } from "../layout.ts";
import { MAX_NPY_HEADER_BYTES, MAX_RANK } from "../limits.ts";
import { TensorError } from "../tensor-error.ts";
import { toRowMajor } from "./row-major.ts";

export type NpyArray = {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Little-endian, row-major. */
  readonly data: Uint8Array;
};

const MAGIC = "\x93NUMPY";
const DESCRIPTORS: readonly (readonly [string, Dtype])[] = [
  ["|b1", "BOOL"],
  ["|u1", "U8"],
  ["|i1", "I8"],
  ["<u2", "U16"],
  ["<i2", "I16"],
  ["<u4", "U32"],
  ["<i4", "I32"],
  ["<u8", "U64"],
  ["<i8", "I64"],
  ["<f2", "F16"],
  ["<f4", "F32"],
  ["<f8", "F64"],
];
/** One entry of the dictionary as numpy writes it, and what may follow an entry. */
const ENTRY =
  /\s*(['"])(?<key>descr|fortran_order|shape)\1\s*:\s*(?:(['"])(?<text>[^'"]{1,16})\3|(?<bool>True|False)|\((?<axes>[0-9,L ]*)\)|(?<list>\[))\s*(?<next>,\s*\}?|\})/y;

/**
 * Reads versions 1.0, 2.0 and 3.0, in C or Fortran order.
 * @throws TensorError "truncated" | "trailing-bytes" | "header-too-large" | "npy-malformed" | "shape-out-of-range" |
 *   "bad-number" | "big-endian" | "unsupported-dtype" (text, dates, complex numbers, records, objects)
 */
export function parseNpy(bytes: Uint8Array): NpyArray {
  const { text, dataStart } = readHeader(bytes);
  const { dtype, isFortran, shape } = parseDictionary(text);
  const sizeBytes = elementCountOf(shape) * dtypeSizeBytes(dtype);
  const data = bytes.subarray(dataStart);
  if (data.byteLength < sizeBytes) throw new TensorError("truncated", "elements are cut off");
  if (data.byteLength > sizeBytes) {
    throw new TensorError("trailing-bytes", `${data.byteLength - sizeBytes} bytes behind`);
  }
  const isSame = !isFortran || shape.length < 2;
  return { dtype, shape, data: isSame ? data : toRowMajor(data, shape, dtypeSizeBytes(dtype)) };
}

/**
 * Version 1.0, C order, elements at a multiple of 64, as numpy writes it.
 * @throws TensorError "unsupported-dtype" for BF16, which numpy does not have
 */
export function writeNpy({ dtype, shape, data }: NpyArray): Uint8Array {
  const descriptor = DESCRIPTORS.find(([, each]) => each === dtype)?.[0];
  if (descriptor === undefined) {
    throw new TensorError("unsupported-dtype", `numpy has no ${dtype}; export as safetensors`);
  }
  const axes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${descriptor}', 'fortran_order': False, 'shape': (${axes}), }`;
  const prefixBytes = MAGIC.length + 4;
  const unpadded = prefixBytes + text.length + 1;
  const headerBytes = Math.ceil(unpadded / 64) * 64 - prefixBytes;
  const header = `${text.padEnd(headerBytes - 1)}\n`;
  const prefix = Uint8Array.from(`${MAGIC}\x01\x00\x00\x00`, (char) => char.charCodeAt(0));
  new DataView(prefix.buffer).setUint16(8, headerBytes, true);
  return concatBytes(prefix, utf8(header), data);
}

function readHeader(bytes: Uint8Array): { readonly text: string; readonly dataStart: number } {
  const magic = Buffer.from(bytes.subarray(0, MAGIC.length)).toString("latin1");
  if (magic !== MAGIC) throw new TensorError("npy-malformed", "a member is not an .npy file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isShort = bytes[6] === 1;
  const start = MAGIC.length + 2 + (isShort ? 2 : 4);
  if (bytes.byteLength < start) throw new TensorError("truncated", "the header is cut off");
  if (![1, 2, 3].includes(bytes[6] ?? 0) || bytes[7] !== 0) {
    throw new TensorError("npy-malformed", `version ${bytes[6]}.${bytes[7]} is not known`);
  }
  const headerBytes = isShort ? view.getUint16(8, true) : view.getUint32(8, true);
  if (headerBytes > MAX_NPY_HEADER_BYTES) {
    throw new TensorError("header-too-large", `header of ${headerBytes} bytes`);
  }
  const dataStart = start + headerBytes;
  if (bytes.byteLength < dataStart) throw new TensorError("truncated", "the header is cut off");
  // What we accept is ASCII, which latin1 and UTF-8 agree on; anything else fails in the dictionary.
  return { text: Buffer.from(bytes.subarray(start, dataStart)).toString("latin1"), dataStart };
}

function parseDictionary(text: string) {
  const found = new Map<string, Record<string, string | undefined>>();
  let at = text.startsWith("{") ? 1 : malformed("the header is not a dictionary");
  for (let isOpen = true; isOpen; ) {
    ENTRY.lastIndex = at;
    const groups = ENTRY.exec(text)?.groups;
    if (groups === undefined) {
      if (/\s*(['"])descr\1\s*:\s*\[/y.test(text.slice(at))) unsupported("records");
      return malformed("the header is not as numpy writes it");
    }
    const key = groups.key ?? "";
    if (found.has(key)) malformed(`${key} appears twice`);
    found.set(key, groups);
    isOpen = !groups.next?.endsWith("}");
    at = ENTRY.lastIndex;
  }
  if (!/^[ ]*\n?$/.test(text.slice(at))) malformed("text behind the dictionary");
  const isFortran = found.get("fortran_order")?.bool;
  const descriptor = found.get("descr")?.text;
  const axes = found.get("shape")?.axes;
  if (isFortran === undefined || descriptor === undefined || axes === undefined) {
    return malformed("descr, fortran_order and shape are wanted");
  }
  return { dtype: dtypeOf(descriptor), isFortran: isFortran === "True", shape: parseAxes(axes) };
}

function dtypeOf(descriptor: string): Dtype {
  if (descriptor.startsWith(">")) {
    throw new TensorError("big-endian", "big-endian elements; save them in little-endian order");
  }
  // numpy reads either mark, or none, on single bytes.
  const known = DESCRIPTORS.find(
    ([each]) => each === descriptor || (each.startsWith("|") && `<${each.slice(1)}` === descriptor),
  );
  return known?.[1] ?? unsupported(descriptor);
}

function parseAxes(text: string): readonly number[] {
  const items = text.split(",").map((item) => item.trim());
  if (items.length > 1 && items.at(-1) === "") items.pop();
  else if (items.length === 1 && items[0] !== "") malformed("the shape is not a tuple");
  else if (items.length === 1) return [];
  if (items.length > MAX_RANK) throw new TensorError("shape-out-of-range", `${items.length} axes`);
  return items.map((item) => {
    // Python 2 marked long integers.
    const axis = /^(0|[1-9][0-9]{0,15})L?$/.exec(item)?.[1];
    if (axis === undefined || !Number.isSafeInteger(Number(axis))) {
      throw new TensorError("bad-number", "an axis is not an integer of 0 to 2^53 - 1");
    }
    return Number(axis);
  });
}

function malformed(what: string): never {
  throw new TensorError("npy-malformed", `.npy: ${what}`);
}

function unsupported(what: string): never {
  throw new TensorError("unsupported-dtype", `.npy elements of type ${what} are not tensors`);
}
