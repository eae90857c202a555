import { createCipheriv, createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fillMask, maskStream, shuffle, shuffleStream } from "../epoch-randomness.ts";
import { createKeystream } from "../keystream.ts";

const seed = Uint8Array.from({ length: 32 }, (_, index) => index);
const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Key as docs/wire-formats.md gives it, and AES in counter mode made from single blocks. */
function expectedStream(purpose: string, epoch: number, blockCount: number): Buffer {
  const hash = createHash("sha256").update("fedclave/keystream/1\0");
  hash.update(Buffer.from([0, 0, 0, 32])).update(seed);
  hash.update(Buffer.from([0, 0, 0, purpose.length])).update(purpose);
  const epochBytes = Buffer.alloc(8);
  epochBytes.writeUInt32BE(epoch, 4);
  const key = hash.update(epochBytes).digest();
  const blocks = Array.from({ length: blockCount }, (_, counter) => {
    const block = Buffer.alloc(16);
    block.writeUInt32BE(counter, 12);
    return createCipheriv("aes-256-ecb", key, null).update(block);
  });
  return Buffer.concat(blocks);
}

/** Lemire's method in big integers, over the same words. */
function referenceBelow(words: readonly number[], bound: number): number {
  for (const word of words) {
    const product = BigInt(word) * BigInt(bound);
    if (product % 2n ** 32n >= 2n ** 32n % BigInt(bound)) return Number(product >> 32n);
  }
  throw new Error("out of words");
}

test("a stream is AES-256 in counter mode under a key of seed, purpose and epoch", () => {
  expect([...createKeystream(seed, "shuffle", 3).bytes(64)]).toEqual([
    ...expectedStream("shuffle", 3, 4),
  ]);
});

test("seed, purpose and epoch each give another stream", () => {
  const first = (from: Uint8Array, purpose: string, epoch: number) =>
    hash(createKeystream(from, purpose, epoch).bytes(32));
  const streams = [
    first(seed, "a", 0),
    first(seed, "a", 1),
    first(seed, "b", 0),
    first(seed.with(0, 1), "a", 0),
  ];
  expect(new Set(streams).size).toBe(4);
});

test("bounded integers are those of Lemire's method on the stream's little-endian words", () => {
  const bounds = fc.oneof(
    fc.integer({ min: 1, max: 2 ** 32 }),
    fc.constantFrom(1, 2, 3, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1, 2 ** 32),
  );
  fc.assert(
    fc.property(bounds, fc.nat({ max: 1000 }), (bound, epoch) => {
      const bytes = expectedStream("test", epoch, 16);
      const words = Array.from({ length: 64 }, (_, index) => bytes.readUInt32LE(index * 4));
      expect(createKeystream(seed, "test", epoch).below(bound)).toBe(referenceBelow(words, bound));
    }),
  );
});

test("bounded integers are spread evenly where cutting a word would not", () => {
  const stream = createKeystream(seed, "test", 0);
  const bound = 3 * 2 ** 30;
  const counts = [0, 0, 0];
  for (let draw = 0; draw < 30_000; draw++) counts[Math.floor(stream.below(bound) / 2 ** 30)]! += 1;
  // Four standard deviations; the remainder of a word would put half of all draws into the first third.
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(330);
});

test("units are at least 0 and below 1, with mean one half", () => {
  const stream = createKeystream(seed, "unit", 0);
  const units = Array.from({ length: 10_000 }, () => stream.unit());
  expect(Math.min(...units)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...units)).toBeLessThan(1);
  expect(Math.abs(units.reduce((a, b) => a + b) / 10_000 - 0.5)).toBeLessThan(0.012);
});

test("a shuffle is a permutation and the same for the same seed and epoch", () => {
  const order = (epoch: number) => {
    const positions = new Int32Array(1000);
    shuffle(positions, shuffleStream(seed, epoch));
    return [...positions];
  };
  expect([...order(0)].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  expect(order(0)).toEqual(order(0));
  expect(order(0)).not.toEqual(order(1));
});

test("every order of three comes up equally often", () => {
  const counts = new Map<string, number>();
  for (let epoch = 0; epoch < 6000; epoch++) {
    const order = new Int32Array(3);
    shuffle(order, shuffleStream(seed, epoch));
    counts.set(order.join(), (counts.get(order.join()) ?? 0) + 1);
  }
  expect(counts.size).toBe(6);
  // Four standard deviations.
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(116);
});

test.each([1, 64, 128, 255])("a mask keeps where the stream's byte is below %i", (keepPer256) => {
  // Longer than one read of the stream.
  const mask = new Uint8Array(40_000);
  fillMask(mask, keepPer256, maskStream(seed, 5, "dropout1"));
  const bytes = expectedStream("mask/dropout1", 5, 2500);
  const wanted = Array.from(bytes, (byte) => (byte < keepPer256 ? 1 : 0));
  expect(Buffer.compare(mask, Uint8Array.from(wanted))).toBe(0);
});
