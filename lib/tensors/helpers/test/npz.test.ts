import { crc32, deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { concatBytes, toHex, utf8 } from "../../../base/bytes.ts";
import { TensorError } from "../../tensor-error.ts";
import { parseNpy, writeNpy } from "../npy.ts";
import { parseNpz, writeNpz } from "../npz.ts";

type MemberOptions = {
  readonly flags: number;
  readonly method: number;
  readonly localName: string;
  readonly localSize: number;
  readonly crc: number;
  readonly sizeBytes: number;
  readonly packed: Uint8Array;
  readonly extra: Uint8Array;
  readonly descriptor: Uint8Array;
  readonly gap: Uint8Array;
};

function le(...fields: readonly [number, 2 | 4][]): Uint8Array {
  return concatBytes(
    ...fields.map(([value, size]) => {
      const view = new DataView(new ArrayBuffer(4));
      view.setUint32(0, value, true);
      return new Uint8Array(view.buffer, 0, size);
    }),
  );
}

/** A zip of one member, any field of which can be made wrong. */
function zipOf(data: Uint8Array, name = "a.npy", given: Partial<MemberOptions> = {}): Uint8Array {
  const flags = given.flags ?? 0;
  const method = given.method ?? 0;
  const packed = given.packed ?? data;
  const crc = given.crc ?? crc32(data);
  const sizeBytes = given.sizeBytes ?? data.byteLength;
  const isStreamed = (flags & 8) !== 0;
  const size = given.localSize ?? (isStreamed ? 0 : sizeBytes);
  const packedSize = given.localSize ?? (isStreamed ? 0 : packed.byteLength);
  const localName = utf8(given.localName ?? name);
  const extra = given.extra ?? new Uint8Array(0);
  const local = concatBytes(
    le([0x04034b50, 4], [20, 2], [flags, 2], [method, 2], [0, 4], [isStreamed ? 0 : crc, 4]),
    le([packedSize, 4], [size, 4], [localName.byteLength, 2], [extra.byteLength, 2]),
    localName,
    extra,
    packed,
    given.descriptor ?? new Uint8Array(0),
    given.gap ?? new Uint8Array(0),
  );
  const central = concatBytes(
    le([0x02014b50, 4], [20, 2], [20, 2], [flags, 2], [method, 2], [0, 4], [crc, 4]),
    le([packed.byteLength, 4], [sizeBytes, 4], [utf8(name).byteLength, 2], [0, 4], [0, 4], [0, 4]),
    le([0, 4]),
    utf8(name),
  );
  return concatBytes(local, central, endOf(1, central.byteLength, local.byteLength));
}

const endOf = (count: number, directoryBytes: number, offset: number): Uint8Array =>
  le([0x06054b50, 4], [0, 4], [count, 2], [count, 2], [directoryBytes, 4], [offset, 4], [0, 2]);

function npyOf(header: string, data: Uint8Array = new Uint8Array(0), version = [1, 0]): Uint8Array {
  const length = version[0] === 1 ? le([header.length, 2]) : le([header.length, 4]);
  const magic = Uint8Array.from("\x93NUMPY", (char) => char.charCodeAt(0));
  return concatBytes(magic, Uint8Array.from(version), length, utf8(header), data);
}

const dictionary = (descr: string, shape: string, order = "False"): string =>
  `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }\n`;

const data = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const npy = writeNpy({ dtype: "F32", shape: [2], data });
const deflated = { method: 8, packed: new Uint8Array(deflateRawSync(npy)) };
const [size, packedSize] = [npy.byteLength, deflated.packed.byteLength];
const streamed = { ...deflated, flags: 8 };
const zip64 = (a: number, b: number): Uint8Array =>
  le([1, 2], [16, 2], [a, 4], [0, 4], [b, 4], [0, 4]);

test.each([
  ["stored", zipOf(npy)],
  ["deflated", zipOf(npy, "a.npy", deflated)],
  [
    "with sizes in a zip64 extra, as numpy writes",
    zipOf(npy, "a.npy", { ...deflated, localSize: 0xffffffff, extra: zip64(size, packedSize) }),
  ],
  [
    "with a data descriptor",
    zipOf(npy, "a.npy", {
      ...streamed,
      descriptor: le([0x08074b50, 4], [crc32(npy), 4], [packedSize, 4], [size, 4]),
    }),
  ],
  [
    "with a descriptor without magic",
    zipOf(npy, "a.npy", {
      ...streamed,
      descriptor: le([crc32(npy), 4], [packedSize, 4], [size, 4]),
    }),
  ],
  [
    "with a zip64 descriptor",
    zipOf(npy, "a.npy", {
      ...streamed,
      descriptor: le([0x08074b50, 4], [crc32(npy), 4], [packedSize, 4], [0, 4], [size, 4], [0, 4]),
    }),
  ],
])("reads a member %s", (_what, archive) => {
  const [tensor] = parseNpz(archive);
  expect({ ...tensor, data: toHex(tensor!.data) }).toEqual({
    name: "a",
    dtype: "F32",
    shape: [2],
    data: toHex(data),
  });
});

test.each([
  ["nothing", new Uint8Array(0), "zip-malformed"],
  ["21 bytes", endOf(0, 0, 0).subarray(1), "zip-malformed"],
  ["a byte behind the archive", concatBytes(zipOf(npy), Uint8Array.of(0)), "zip-malformed"],
  ["a byte in front", concatBytes(Uint8Array.of(0), zipOf(npy)), "zip-malformed"],
  ["bytes before the directory", zipOf(npy, "a.npy", { gap: Uint8Array.of(1) }), "zip-malformed"],
  ["encryption", zipOf(npy, "a.npy", { flags: 1 }), "zip-unsupported"],
  ["another compression", zipOf(npy, "a.npy", { method: 12 }), "zip-unsupported"],
  [
    "zip64 sizes in the directory",
    zipOf(npy, "a.npy", { sizeBytes: 0xffffffff }),
    "zip-unsupported",
  ],
  [
    "another name in the local header",
    zipOf(npy, "a.npy", { localName: "b.npy" }),
    "zip-malformed",
  ],
  ["other sizes in the local header", zipOf(npy, "a.npy", { localSize: 1 }), "zip-malformed"],
  ["a wrong checksum", zipOf(npy, "a.npy", { crc: 1 }), "zip-checksum"],
  [
    "a descriptor with another size",
    zipOf(npy, "a.npy", {
      ...streamed,
      descriptor: le([crc32(npy), 4], [packedSize, 4], [size + 1, 4]),
    }),
    "zip-malformed",
  ],
  ["no descriptor", zipOf(npy, "a.npy", streamed), "zip-malformed"],
  [
    "a bomb: more than it claims",
    zipOf(new Uint8Array(1000), "a.npy", {
      method: 8,
      packed: new Uint8Array(deflateRawSync(new Uint8Array(1e6))),
    }),
    "zip-malformed",
  ],
  [
    "less than it claims",
    zipOf(npy, "a.npy", { ...deflated, sizeBytes: size + 1 }),
    "zip-malformed",
  ],
  [
    "bytes behind the compressed data",
    zipOf(npy, "a.npy", { method: 8, packed: concatBytes(deflated.packed, Uint8Array.of(0)) }),
    "zip-malformed",
  ],
  [
    "a claim past the limit",
    zipOf(npy, "a.npy", { ...deflated, sizeBytes: 2 ** 31 + 1 }),
    "too-large",
  ],
  ["a member that is not .npy", zipOf(npy, "a.txt"), "bad-name"],
  ["a member without a name", zipOf(npy, ".npy"), "bad-name"],
  ["a NUL in a name", zipOf(npy, "a\0.npy"), "bad-name"],
  ["a name in an unmarked code page", zipOf(npy, "é.npy"), "bad-name"],
  ["a member that is not numpy's", zipOf(data), "npy-malformed"],
])("refuses %s", (_what, archive, code) => {
  expect(() => parseNpz(archive)).toThrow(expect.objectContaining({ code }));
});

test("members that overlap or repeat a name are refused", () => {
  const one = zipOf(npy);
  const directory = one.subarray(one.byteLength - 22 - 46 - 5, one.byteLength - 22);
  const offset = one.byteLength - 22 - directory.byteLength;
  const twice = concatBytes(
    one.subarray(0, offset),
    directory,
    directory,
    endOf(2, directory.byteLength * 2, offset),
  );
  expect(() => parseNpz(twice)).toThrow(expect.objectContaining({ code: "zip-malformed" }));
  const second = new Uint8Array(directory);
  new DataView(second.buffer).setUint32(42, offset, true);
  const repeated = concatBytes(
    one.subarray(0, offset),
    one.subarray(0, offset),
    directory,
    second,
    endOf(2, directory.byteLength * 2, offset * 2),
  );
  expect(() => parseNpz(repeated)).toThrow(expect.objectContaining({ code: "duplicate-name" }));
});

test("the limit on inflated bytes is inclusive", () => {
  const archive = zipOf(npy, "a.npy", deflated);
  expect(parseNpz(archive, npy.byteLength)).toHaveLength(1);
  expect(() => parseNpz(archive, npy.byteLength - 1)).toThrow(
    expect.objectContaining({ code: "too-large" }),
  );
});

test.each([
  ["|b1", "BOOL", 1],
  ["|u1", "U8", 1],
  ["<u1", "U8", 1],
  ["|i1", "I8", 1],
  ["<u2", "U16", 2],
  ["<i2", "I16", 2],
  ["<f2", "F16", 2],
  ["<u4", "U32", 4],
  ["<i4", "I32", 4],
  ["<f4", "F32", 4],
  ["<u8", "U64", 8],
  ["<i8", "I64", 8],
  ["<f8", "F64", 8],
] as const)("%s is %s", (descr, dtype, sizeBytes) => {
  const array = parseNpy(npyOf(dictionary(descr, "()"), new Uint8Array(sizeBytes)));
  expect(array).toMatchObject({ dtype, shape: [] });
});

test.each([
  ["version 2", npyOf(dictionary("<f4", "(2,)"), data, [2, 0]), [2]],
  ["version 3", npyOf(dictionary("<f4", "(2, 1)"), data, [3, 0]), [2, 1]],
  [
    "keys in another order",
    npyOf("{'shape': (1, 2), 'descr': '<f4', 'fortran_order': False}", data),
    [1, 2],
  ],
  ["double quotes", npyOf('{"descr": "<f4", "fortran_order": False, "shape": (2,)}', data), [2]],
  ["Python 2 integers", npyOf(dictionary("<f4", "(2L,)"), data), [2]],
  ["an empty array", npyOf(dictionary("<f4", "(0, 3)")), [0, 3]],
])("reads %s", (_what, bytes, shape) => {
  expect(parseNpy(bytes).shape).toEqual(shape);
});

test.each([
  ["big-endian elements", npyOf(dictionary(">f4", "(2,)"), data), "big-endian"],
  ["complex numbers", npyOf(dictionary("<c8", "(1,)"), data), "unsupported-dtype"],
  ["text", npyOf(dictionary("<U2", "(1,)"), data), "unsupported-dtype"],
  ["Python objects", npyOf(dictionary("|O", "(1,)"), data), "unsupported-dtype"],
  ["native order", npyOf(dictionary("=f4", "(2,)"), data), "unsupported-dtype"],
  [
    "records",
    npyOf("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", data),
    "unsupported-dtype",
  ],
  ["version 4", npyOf(dictionary("<f4", "(2,)"), data, [4, 0]), "npy-malformed"],
  ["version 1.1", npyOf(dictionary("<f4", "(2,)"), data, [1, 1]), "npy-malformed"],
  ["a key twice", npyOf("{'descr': '<f4', 'descr': '<f4', 'shape': (2,)}", data), "npy-malformed"],
  ["no shape", npyOf("{'descr': '<f4', 'fortran_order': False}", data), "npy-malformed"],
  [
    "another key",
    npyOf("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", data),
    "npy-malformed",
  ],
  ["code in a value", npyOf(dictionary("<f4", "(2,) + (1,)"), data), "npy-malformed"],
  ["text behind the dictionary", npyOf(`${dictionary("<f4", "(2,)")}x`, data), "npy-malformed"],
  ["no dictionary", npyOf("descr", data), "npy-malformed"],
  ["an unclosed dictionary", npyOf("{'descr': '<f4', ", data), "npy-malformed"],
  ["an integer as shape", npyOf(dictionary("<f4", "(2)"), data), "npy-malformed"],
  ["a negative axis", npyOf(dictionary("<f4", "(-2,)"), data), "npy-malformed"],
  ["an empty axis", npyOf(dictionary("<f4", "(,2)"), data), "bad-number"],
  ["an axis of 2^53", npyOf(dictionary("<f4", "(9007199254740992,)"), data), "bad-number"],
  ["an axis past the limit", npyOf(dictionary("<f4", "(2147483649,)"), data), "shape-out-of-range"],
  [
    "a product past the limit",
    npyOf(dictionary("<f4", "(65536, 65536)"), data),
    "shape-out-of-range",
  ],
  [
    "nine axes",
    npyOf(dictionary("<f4", "(1, 1, 1, 1, 1, 1, 1, 1, 2)"), data),
    "shape-out-of-range",
  ],
  ["a header past the limit", npyOf(" ".repeat(65_537), data, [2, 0]), "header-too-large"],
  [
    "a byte too many",
    npyOf(dictionary("<f4", "(2,)"), concatBytes(data, data.subarray(7))),
    "trailing-bytes",
  ],
  ["a byte too few", npyOf(dictionary("<f4", "(2,)"), data.subarray(1)), "truncated"],
])("refuses an .npy with %s", (_what, bytes, code) => {
  expect(() => parseNpy(bytes)).toThrow(expect.objectContaining({ code }));
});

test("Fortran order becomes row-major", () => {
  const fortran = Uint8Array.of(0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11);
  const array = parseNpy(npyOf(dictionary("|u1", "(2, 2, 3)", "True"), fortran));
  expect([...array.data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  const wide = parseNpy(npyOf(dictionary("<u2", "(2, 2)", "True"), data));
  expect([...wide.data]).toEqual([1, 2, 5, 6, 3, 4, 7, 8]);
  expect([...parseNpy(npyOf(dictionary("|u1", "(8,)", "True"), data)).data]).toEqual([...data]);
});

test("an archive cut at any byte or with any bit flipped is a TensorError or reads", () => {
  const archive = zipOf(npy, "a.npy", deflated);
  for (let length = 0; length < archive.byteLength; length++) {
    expect(() => parseNpz(archive.subarray(0, length))).toThrow(TensorError);
  }
  for (let bit = 0; bit < archive.byteLength * 8; bit++) {
    const flipped = new Uint8Array(archive);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    try {
      // Times, versions and the like may differ; what is read may not.
      expect(parseNpz(flipped)[0]).toMatchObject({ dtype: "F32", shape: [2] });
    } catch (error) {
      expect(error).toBeInstanceOf(TensorError);
    }
  }
});

test("what is written reads back, and the same tensors give the same bytes", () => {
  const tensor = fc.record({
    name: fc.stringMatching(/^[a-z0-9./_é]{1,12}$/),
    dtype: fc.constantFrom("F16" as const, "U8" as const, "I64" as const),
    shape: fc.array(fc.nat(3), { maxLength: 3 }),
    fill: fc.nat(255),
  });
  fc.assert(
    fc.property(fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 5 }), (specs) => {
      const tensors = specs.map(({ fill, ...spec }) => {
        const count = spec.shape.reduce((a, b) => a * b, { F16: 2, U8: 1, I64: 8 }[spec.dtype]);
        return { ...spec, data: new Uint8Array(count).fill(fill) };
      });
      const archive = writeNpz(tensors);
      const read = parseNpz(archive).map((each) => ({ ...each, data: new Uint8Array(each.data) }));
      expect(new Map(read.map((each) => [each.name, each]))).toEqual(
        new Map(tensors.map((each) => [each.name, each])),
      );
      expect(toHex(writeNpz(tensors.toReversed()))).toBe(toHex(archive));
    }),
  );
});

test("numpy has no bfloat16, so exporting it says so", () => {
  const tensors = [{ name: "a", dtype: "BF16" as const, shape: [], data: new Uint8Array(2) }];
  expect(() => writeNpz(tensors)).toThrow(expect.objectContaining({ code: "unsupported-dtype" }));
});
