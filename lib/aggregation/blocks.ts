/**
 * How a body is walked: in blocks of one element type that fit the kernel's staging slot and lie within one
 * segment of accumulators. The blocks follow from the layout alone, so every process walks alike.
 */
import { assertInvariant } from "../base/refusal.ts";
import { dtypeSizeBytes, isTrainable, type TrainableDtype } from "../tensors/dtype.ts";
import type { TensorLayout } from "../tensors/layout.ts";
import { BLOCK_BYTES } from "./kernel/kernel.ts";

/** Accumulators of one segment: 512 MiB of float64, well within one WebAssembly memory. */
export const SEGMENT_ELEMENTS = 2 ** 26;

export type Block = {
  readonly dtype: TrainableDtype;
  /** From the start of the body. */
  readonly offsetBytes: number;
  /** 1 element to BLOCK_BYTES. */
  readonly sizeBytes: number;
  readonly segmentIndex: number;
  /** Place of the first element within its segment. */
  readonly firstElement: number;
};

/** Blocks in the order of their bytes; neighbouring tensors of one type share blocks. */
export function planBlocks(
  layout: TensorLayout,
  segmentElements: number = SEGMENT_ELEMENTS,
): readonly Block[] {
  const blocks: Block[] = [];
  let element = 0;
  for (const { dtype, offsetBytes, sizeBytes } of runsOf(layout)) {
    const elementSize = dtypeSizeBytes(dtype);
    let at = 0;
    while (at < sizeBytes) {
      const firstElement = element % segmentElements;
      const segmentBytes = (segmentElements - firstElement) * elementSize;
      const blockBytes = Math.min(BLOCK_BYTES, sizeBytes - at, segmentBytes);
      const segmentIndex = Math.floor(element / segmentElements);
      const place = { offsetBytes: offsetBytes + at, sizeBytes: blockBytes };
      blocks.push({ dtype, ...place, segmentIndex, firstElement });
      at += blockBytes;
      element += blockBytes / elementSize;
    }
  }
  return blocks;
}

/** Accumulators that each segment of a layout needs. */
export function segmentSizes(layout: TensorLayout, segmentElements: number): readonly number[] {
  const count = Math.ceil(layout.elementCount / segmentElements);
  return Array.from({ length: count }, (_, index) =>
    Math.min(segmentElements, layout.elementCount - index * segmentElements),
  );
}

/** Cuts a body that arrives in chunks of any size into its blocks. */
export class BlockFeed {
  readonly #blocks: readonly Block[];
  readonly #onBlock: (block: Block, bytes: Uint8Array) => void;
  #partial: Uint8Array | undefined;
  #partialBytes = 0;
  #next = 0;

  constructor(blocks: readonly Block[], onBlock: (block: Block, bytes: Uint8Array) => void) {
    this.#blocks = blocks;
    this.#onBlock = onBlock;
  }

  /** @param bytes  what follows the header, in order, and not past the last block; not kept */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.byteLength) {
      const block = this.#blocks[this.#next];
      assertInvariant(block !== undefined, "no bytes behind the last block");
      const wanted = block.sizeBytes - this.#partialBytes;
      const taken = bytes.subarray(at, at + wanted);
      at += taken.byteLength;
      if (taken.byteLength === block.sizeBytes) {
        this.#finish(block, taken);
      } else {
        this.#partial ??= new Uint8Array(BLOCK_BYTES);
        this.#partial.set(taken, this.#partialBytes);
        this.#partialBytes += taken.byteLength;
        if (taken.byteLength === wanted) {
          this.#finish(block, this.#partial.subarray(0, block.sizeBytes));
        }
      }
    }
  }

  #finish(block: Block, bytes: Uint8Array): void {
    this.#partialBytes = 0;
    this.#next++;
    this.#onBlock(block, bytes);
  }
}

type Run = { dtype: TrainableDtype; offsetBytes: number; sizeBytes: number };

function runsOf(layout: TensorLayout): readonly Run[] {
  const runs: Run[] = [];
  for (const { dtype, offsetBytes, sizeBytes } of layout.tensors) {
    assertInvariant(isTrainable(dtype), "only trainable tensors are summed");
    const last = runs.at(-1);
    if (last?.dtype === dtype) last.sizeBytes += sizeBytes;
    else runs.push({ dtype, offsetBytes, sizeBytes });
  }
  return runs;
}
