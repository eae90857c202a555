import fc from "fast-check";
import { expect, test } from "vitest";
import { concatBytes, utf8 } from "../../base/bytes.ts";
import { MAX_PARTIAL_INDEX_BYTES, parsePartialFile, writePartialHead } from "../partial-file.ts";

const index = utf8("an index of some length");
const sums = utf8("sums");
const good = concatBytes(writePartialHead(index), sums);

test("what is written is found again, and the sums start on a multiple of 8", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (i, s) => {
      const head = writePartialHead(i);
      expect(head.byteLength % 8).toBe(0);
      expect(parsePartialFile(concatBytes(head, s))).toEqual({ index: i, sums: s });
    }),
  );
});

const withByte = (position: number, value: number) => {
  const bytes = good.slice();
  bytes[position] = value;
  return bytes;
};
const tooLong = writePartialHead(new Uint8Array());
new DataView(tooLong.buffer, tooLong.byteOffset).setUint32(8, MAX_PARTIAL_INDEX_BYTES + 1);

test.each([
  ["nothing", new Uint8Array()],
  ["another magic", withByte(0, 0x47)],
  ["an index longer than the file", withByte(8, 1)],
  ["an index longer than any may be", concatBytes(tooLong, new Uint8Array(64))],
  ["padding that is not zero", withByte(12 + index.byteLength, 1)],
])("refuses %s", (_what, bytes) => {
  expect(() => parsePartialFile(bytes)).toThrow(expect.objectContaining({ code: "bad-partial" }));
});

test("refuses a head cut at any byte", () => {
  const head = writePartialHead(index);
  for (let length = 0; length < head.byteLength; length += 1) {
    expect(() => parsePartialFile(head.subarray(0, length))).toThrow();
  }
});
