import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { extract } from "tar-stream";
import { expect, test } from "vitest";
import { utf8 } from "../../../lib/base/bytes.ts";
import { readPackage, writePackage } from "../archive.ts";
import { manifestBytes, validateManifest } from "../manifest.ts";
import { PackageError } from "../package-error.ts";
import { readStoredGzip, storedGzip } from "../stored-gzip.ts";
import { goodManifest } from "../testing/good-manifest.ts";
import { readUstar, writeUstar } from "../ustar.ts";

const manifest = manifestBytes(validateManifest(goodManifest));
const good: readonly (readonly [string, Uint8Array])[] = [
  ["evaluation.onnx", utf8("evaluation")],
  ["fedn.yaml", manifest],
  ["models/seed.safetensors", new Uint8Array(1000).fill(7)],
  ["proximal.onnx", utf8("proximal")],
  ["step.onnx", utf8("step")],
];
const goodTar = writeUstar(good);
const goodArchive = writePackage(new Map(good));

/** The good archive with bytes of its first header changed and the header's checksum put right. */
function withHeader(change: (header: Uint8Array) => void): Uint8Array {
  const tar = goodTar.slice();
  const header = tar.subarray(0, 512);
  change(header);
  header.fill(0x20, 148, 156);
  const sum = header.reduce((a, b) => a + b, 0);
  header.set(utf8(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return storedGzip(tar);
}

const put = (at: number, text: string) => (header: Uint8Array) => header.set(utf8(text), at);

/** An archive of these files in this order, whatever they are. */
const raw = (files: readonly (readonly [string, Uint8Array])[]) => storedGzip(writeUstar(files));

test("an archive reads back with its digest, whatever order the files were given in", () => {
  const pkg = readPackage(writePackage(new Map([...good].reverse())));
  expect(pkg.digest).toBe(createHash("sha256").update(goodArchive).digest("hex"));
  expect([...pkg.files]).toEqual(good);
  expect(pkg.manifest).toEqual(goodManifest);
});

test("the bytes of an archive are fixed for all time", () => {
  expect(createHash("sha256").update(goodArchive).digest("hex")).toBe(
    "4ab3223242ede3e33809c8c24f9caaddef5df0c71c14b46d46f182e607e5c4b7",
  );
});

test("gunzip and a foreign tar reader see the same files, with mode 0644 and time 0", async () => {
  const seen: [string, number | undefined, number | undefined, string][] = [];
  const reader = Readable.from([gunzipSync(goodArchive)]).pipe(extract());
  for await (const entry of reader) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    const { name, mode, mtime } = entry.header;
    seen.push([name, mode, mtime?.getTime(), Buffer.concat(chunks).toString("hex")]);
  }
  const hex = (content: Uint8Array) => Buffer.from(content).toString("hex");
  expect(seen).toEqual(good.map(([name, content]) => [name, 0o644, 0, hex(content)]));
});

test.each<[string, () => Uint8Array, string]>([
  ["nothing", () => new Uint8Array(), "archive-corrupt"],
  ["a compressed archive", () => new Uint8Array(gzipSync(goodTar)), "archive-not-canonical"],
  ["a tar without gzip", () => goodTar, "archive-not-canonical"],
  ["a time in the gzip header", () => goodArchive.with(4, 1), "archive-not-canonical"],
  ["a trailing byte", () => new Uint8Array([...goodArchive, 0]), "archive-corrupt"],
  ["two short blocks for one", () => splitBlock(goodArchive), "archive-not-canonical"],
  ["a symbolic link", () => withHeader(put(156, "2")), "entry-refused"],
  ["a hard link", () => withHeader(put(156, "1")), "entry-refused"],
  ["a device", () => withHeader(put(156, "3")), "entry-refused"],
  ["a folder", () => withHeader(put(156, "5")), "entry-refused"],
  ["a pax header", () => withHeader(put(156, "x")), "entry-refused"],
  ["a global pax header", () => withHeader(put(156, "g")), "entry-refused"],
  ["a GNU long name", () => withHeader(put(156, "L")), "entry-refused"],
  ["the old kind of a file", () => withHeader((header) => header.set([0], 156)), "entry-refused"],
  ["a path upwards", () => withHeader(put(0, "../a\0")), "path-refused"],
  ["a path upwards inside", () => withHeader(put(0, "a/../../b\0")), "path-refused"],
  ["an absolute path", () => withHeader(put(0, "/etc/passwd\0")), "path-refused"],
  ["a path with a backslash", () => withHeader(put(0, "a\\b\0")), "path-refused"],
  ["a path with a newline", () => withHeader(put(0, "a\nb\0")), "path-refused"],
  ["a hidden file", () => withHeader(put(0, ".npmrc\0")), "path-refused"],
  ["an empty path", () => withHeader((header) => header.fill(0, 0, 100)), "path-refused"],
  ["text behind the path", () => withHeader(put(0, "a\0b")), "path-refused"],
  ["a prefix", () => withHeader(put(345, "folder\0")), "archive-not-canonical"],
  ["another mode", () => withHeader(put(100, "0000755\0")), "archive-not-canonical"],
  ["an owner", () => withHeader(put(108, "0001750\0")), "archive-not-canonical"],
  ["a time", () => withHeader(put(136, "00000000001\0")), "archive-not-canonical"],
  ["an owner's name", () => withHeader(put(265, "root\0")), "archive-not-canonical"],
  ["a size in base 256", () => withHeader((h) => h.set([0x80], 124)), "archive-corrupt"],
  ["a size past the end", () => withHeader(put(124, "00000777777\0")), "archive-corrupt"],
  ["a size past 128 MiB", () => withHeader(put(124, "77777777777\0")), "file-too-large"],
  [
    "padding that is not zero",
    () => storedGzip(goodTar.with(512 + 500, 1)),
    "archive-not-canonical",
  ],
  [
    "a third zero record",
    () => storedGzip(concat(goodTar, new Uint8Array(512))),
    "archive-corrupt",
  ],
  ["one zero record", () => storedGzip(goodTar.slice(0, -512)), "archive-corrupt"],
  ["files out of order", () => raw([...good].reverse()), "archive-not-canonical"],
  ["a path twice", () => raw([...good, good[4]!]), "path-repeated"],
  ["two cases of a path", () => raw([...good, ["stEp.onnx", manifest]]), "path-repeated"],
  ["a file that is a folder", () => raw([...good, ["step.onnx/a", manifest]]), "path-repeated"],
  ["no manifest", () => raw(good.filter(([name]) => name !== "fedn.yaml")), "manifest-missing"],
  ["a manifest as YAML", () => raw(withManifest(utf8("kind: x\n"))), "manifest-not-canonical"],
  ["a manifest that is not one", () => raw(withManifest(utf8("{}"))), "manifest-invalid"],
  ["a graph that is not there", () => raw(good.slice(0, 4)), "file-missing"],
  ["257 files", () => raw(manyFiles(257)), "too-many-files"],
])("refuses %s", (_what, archive, code) => {
  expect(() => readPackage(archive())).toThrow(expect.objectContaining({ code }));
  expect(() => readPackage(archive())).toThrow(PackageError);
});

test("the writer refuses what the reader would", () => {
  const written = (...extra: [string, Uint8Array][]) => writePackage(new Map([...good, ...extra]));
  const code = (text: string) => expect.objectContaining({ code: text });
  expect(() => written(["../a", manifest])).toThrow(code("path-refused"));
  expect(() => written([`${"a".repeat(101)}`, manifest])).toThrow(code("path-refused"));
  expect(() => written(["STEP.onnx", manifest])).toThrow(code("path-repeated"));
  expect(() => writePackage(new Map(good.slice(0, 4)))).toThrow(code("file-missing"));
  expect(() => writePackage(new Map(manyFiles(257)))).toThrow(code("too-many-files"));
});

test("an archive cut at any byte, or with any bit flipped, is refused", () => {
  const small = raw([["fedn.yaml", utf8("{}")]]);
  expect(() => readPackage(small)).toThrow(expect.objectContaining({ code: "manifest-invalid" }));
  for (let length = 0; length < small.length; length++) {
    expect(() => readPackage(small.subarray(0, length))).toThrow(PackageError);
  }
  for (let bit = 0; bit < small.length * 8; bit++) {
    const flipped = small.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    expect(() => readPackage(flipped)).toThrow(
      expect.not.objectContaining({ code: "manifest-invalid" }),
    );
  }
});

test("random bytes are refused, never a crash", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
      expect(() => readUstar(bytes)).toThrow(PackageError);
      expect(() => readStoredGzip(bytes)).toThrow(PackageError);
    }),
  );
});

test.each([0, 1, 65_534, 65_535, 65_536, 131_070, 200_000])(
  "%i bytes go through stored gzip and through gunzip",
  (size) => {
    const content = Uint8Array.from({ length: size }, (_, index) => (index * 31) & 255);
    const zipped = storedGzip(content);
    expect(Buffer.compare(readStoredGzip(zipped), content)).toBe(0);
    expect(Buffer.compare(gunzipSync(zipped), content)).toBe(0);
  },
);

function withManifest(bytes: Uint8Array): [string, Uint8Array][] {
  return good.map(([name, content]) => [name, name === "fedn.yaml" ? bytes : content]);
}

function manyFiles(count: number): [string, Uint8Array][] {
  return Array.from({ length: count }, (_, index) => [
    `file${String(index).padStart(3, "0")}`,
    new Uint8Array(),
  ]);
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** The same content with its only block written as two. */
function splitBlock(archive: Uint8Array): Uint8Array {
  const content = readStoredGzip(archive);
  const block = (isLast: number, bytes: Uint8Array) => {
    const header = new Uint8Array(5);
    header[0] = isLast;
    new DataView(header.buffer).setUint16(1, bytes.length, true);
    new DataView(header.buffer).setUint16(3, bytes.length ^ 0xffff, true);
    return concat(header, bytes);
  };
  const [first, second] = [content.subarray(0, 100), content.subarray(100)];
  return concat(archive.subarray(0, 10), block(0, first), block(1, second), archive.slice(-8));
}
