import fc from "fast-check";
import { expect, test } from "vitest";
import { layoutOf } from "../../tensors/layout.ts";
import { BlockFeed, planBlocks, SEGMENT_ELEMENTS, segmentSizes } from "../blocks.ts";
import { BLOCK_BYTES } from "../kernel/kernel.ts";

const large = layoutOf([
  { name: "a", dtype: "F32", shape: [SEGMENT_ELEMENTS - 1] },
  { name: "b", dtype: "F32", shape: [1000, 1000] },
  { name: "c", dtype: "F16", shape: [100] },
]);

test("blocks tile the data, fit the staging slot and stay within their segment", () => {
  let offset = large.header.byteLength;
  let element = 0;
  for (const block of planBlocks(large)) {
    expect([block.offsetBytes, block.segmentIndex * SEGMENT_ELEMENTS + block.firstElement]).toEqual(
      [offset, element],
    );
    const count = block.sizeBytes / (block.dtype === "F32" ? 4 : 2);
    expect(block.sizeBytes).toBeLessThanOrEqual(BLOCK_BYTES);
    expect(block.firstElement + count).toBeLessThanOrEqual(SEGMENT_ELEMENTS);
    offset += block.sizeBytes;
    element += count;
  }
  expect([offset, element]).toEqual([large.sizeBytes, large.elementCount]);
  expect(segmentSizes(large, SEGMENT_ELEMENTS)).toEqual([SEGMENT_ELEMENTS, 1_000_099]);
});

test("a feed gives the same blocks however the bytes arrive", () => {
  const layout = layoutOf([
    { name: "a", dtype: "F16", shape: [BLOCK_BYTES / 2 + 3] },
    { name: "b", dtype: "F64", shape: [5] },
  ]);
  const body = new Uint8Array(layout.sizeBytes - layout.header.byteLength).map((_, i) => i % 251);
  const collect = (cuts: readonly number[]): string[] => {
    const seen: string[] = [];
    const feed = new BlockFeed(planBlocks(layout), (block, bytes) =>
      seen.push(`${block.offsetBytes} ${Buffer.from(bytes).toString("base64")}`),
    );
    let at = 0;
    for (const cut of [...cuts.toSorted((a, b) => a - b), body.byteLength]) {
      feed.push(body.subarray(at, cut));
      at = cut;
    }
    return seen;
  };
  const whole = collect([]);
  expect(whole).toHaveLength(3);
  fc.assert(
    fc.property(fc.array(fc.nat(body.byteLength), { maxLength: 20 }), (cuts) => {
      expect(collect(cuts)).toEqual(whole);
    }),
    { numRuns: 20 },
  );
});
