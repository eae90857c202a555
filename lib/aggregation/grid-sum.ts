/** Sums of weighted updates on the session's grid: exact, so order and grouping change no bit. */
import { assertInvariant } from "../base/refusal.ts";
import { dtypeSizeBytes } from "../tensors/dtype.ts";
import { aligned, readFloats } from "../tensors/floats.ts";
import { sumLayout, type TensorLayout } from "../tensors/layout.ts";
import { type Block, planBlocks, SEGMENT_ELEMENTS, segmentSizes } from "./blocks.ts";
import { MAX_WEIGHT_CAP, roundingTerm } from "./grid.ts";
import { BLOCK_BYTES, type Kernel, type KernelSegment } from "./kernel/kernel.ts";
import { selectKernel } from "./kernel/select-kernel.ts";

/** A validated update body held in memory. */
export type HeldUpdate = { readonly body: Uint8Array; readonly exampleCount: number };

/** A validated update body held elsewhere: `read` gives exactly the asked bytes of it. */
export type StagedUpdate = {
  readonly exampleCount: number;
  readonly read: (offsetBytes: number, sizeBytes: number) => Promise<Uint8Array> | Uint8Array;
};

/** Sums in memory, held in segments of at most 512 MiB that are taken when first needed. */
export type GridSum = {
  /** Σw of all that was folded or added. */
  readonly weightSum: number;
  /**
   * sum += w·Δ, each term rounded once to the grid (twice for F64, whose product is rounded first: it depends on
   * the update alone, so sums stay independent of order). Validates nothing: call it only with a body and weight
   * that validateUpdate and validateWeight admitted.
   */
  readonly fold: (body: Uint8Array, exampleCount: number) => void;
  /** As fold for each, but all updates pass through one block of sums at a time: about twice as fast. */
  readonly foldAll: (updates: readonly HeldUpdate[]) => void;
  /**
   * As foldAll, reading at most 256 KiB of one update at a time. If a read fails the sums are half-folded and
   * lost: every later call is a broken invariant, until reset.
   */
  readonly foldStaged: (updates: readonly StagedUpdate[]) => Promise<void>;
  /** Adds sums of the same layout and grid, without rounding; only after validatePartial admitted them. */
  readonly addPartial: (sumsBody: Uint8Array, weightSum: number) => void;
  /** The sums in layout order: views that the next fold changes. */
  readonly segments: () => readonly Float64Array[];
  /** Canonical safetensors of the sums, all F64, as parts: the header, then views as of segments. */
  readonly parts: () => readonly Uint8Array[];
  /** The same as one new array. */
  readonly toSums: () => Uint8Array;
  /** Back to 0; memory is kept for the next round. */
  readonly reset: () => void;
};

/**
 * Sums of zero updates.
 * @param layout  the trainable layout of the session's model
 * @param gridExponent  q of chooseGrid for the session's bounds
 * @param segmentElements  sums of one segment; smaller ones change no bit, and are for tests
 */
export function createGridSum(
  layout: TensorLayout,
  gridExponent: number,
  kernel: Kernel = selectKernel(),
  segmentElements: number = SEGMENT_ELEMENTS,
): GridSum {
  return new SegmentedSum(layout, gridExponent, kernel, segmentElements);
}

class SegmentedSum implements GridSum {
  readonly #layout: TensorLayout;
  readonly #sumLayout: TensorLayout;
  readonly #blocks: readonly Block[];
  readonly #sizes: readonly number[];
  readonly #magic: number;
  readonly #kernel: Kernel;
  readonly #segments: KernelSegment[] = [];
  #values: Float64Array | undefined;
  #weightSum = 0;
  #isWhole = true;

  constructor(layout: TensorLayout, gridExponent: number, kernel: Kernel, segmentElements: number) {
    this.#layout = layout;
    this.#sumLayout = sumLayout(layout);
    this.#blocks = planBlocks(layout, segmentElements);
    this.#sizes = segmentSizes(layout, segmentElements);
    this.#magic = roundingTerm(gridExponent);
    this.#kernel = kernel;
  }

  get weightSum(): number {
    return this.#weightSum;
  }

  fold(body: Uint8Array, exampleCount: number): void {
    this.foldAll([{ body, exampleCount }]);
  }

  foldAll(updates: readonly HeldUpdate[]): void {
    for (const { body, exampleCount } of updates) {
      assertInvariant(body.byteLength === this.#layout.sizeBytes, "the body has the layout's size");
      this.#checkWeight(exampleCount);
    }
    this.#change(() => {
      for (const block of this.#blocks) {
        const end = block.offsetBytes + block.sizeBytes;
        for (const { body, exampleCount } of updates) {
          this.#foldBlock(block, body.subarray(block.offsetBytes, end), exampleCount);
        }
      }
    });
    for (const { exampleCount } of updates) this.#weightSum += exampleCount;
  }

  async foldStaged(updates: readonly StagedUpdate[]): Promise<void> {
    for (const { exampleCount } of updates) this.#checkWeight(exampleCount);
    this.#begin();
    for (const block of this.#blocks) {
      for (const { read, exampleCount } of updates) {
        const bytes = await read(block.offsetBytes, block.sizeBytes);
        assertInvariant(bytes.byteLength === block.sizeBytes, "a read gives what was asked for");
        this.#foldBlock(block, bytes, exampleCount);
      }
    }
    for (const { exampleCount } of updates) this.#weightSum += exampleCount;
    this.#isWhole = true;
  }

  addPartial(sumsBody: Uint8Array, weightSum: number): void {
    const { sizeBytes, header } = this.#sumLayout;
    assertInvariant(sumsBody.byteLength === sizeBytes, "the partial has the layout's size");
    assertInvariant(
      Number.isSafeInteger(weightSum) && weightSum >= 1,
      "a partial weighs something",
    );
    this.#change(() => {
      let at = header.byteLength;
      for (const sums of this.#allSums()) {
        addInto(sums, sumsBody.subarray(at, at + sums.byteLength));
        at += sums.byteLength;
      }
    });
    this.#weightSum += weightSum;
  }

  segments(): readonly Float64Array[] {
    assertInvariant(this.#isWhole, "sums are read between folds, and after none that failed");
    return this.#allSums();
  }

  parts(): readonly Uint8Array[] {
    const views = this.segments().map(
      (sums) => new Uint8Array(sums.buffer, sums.byteOffset, sums.byteLength),
    );
    return [this.#sumLayout.header, ...views];
  }

  toSums(): Uint8Array {
    const bytes = new Uint8Array(this.#sumLayout.sizeBytes);
    let at = 0;
    for (const part of this.parts()) {
      bytes.set(part, at);
      at += part.byteLength;
    }
    return bytes;
  }

  reset(): void {
    for (const segment of this.#segments) segment?.sums.fill(0);
    this.#weightSum = 0;
    this.#isWhole = true;
  }

  #begin(): void {
    assertInvariant(this.#isWhole, "one fold at a time, and none after one that failed");
    this.#isWhole = false;
  }

  #change(action: () => void): void {
    this.#begin();
    action();
    this.#isWhole = true;
  }

  #checkWeight(weight: number): void {
    const fits = Number.isInteger(weight) && weight >= 1 && weight <= MAX_WEIGHT_CAP;
    assertInvariant(fits, "the weight was validated");
  }

  #allSums(): readonly Float64Array[] {
    return this.#sizes.map((_, index) => this.#segment(index).sums);
  }

  #segment(index: number): KernelSegment {
    const open = this.#segments[index];
    if (open !== undefined) return open;
    const opened = this.#kernel.openSegment(this.#sizes[index] ?? 0);
    this.#segments[index] = opened;
    return opened;
  }

  #foldBlock(block: Block, bytes: Uint8Array, weight: number): void {
    const segment = this.#segment(block.segmentIndex);
    if (block.dtype === "F32") {
      segment.fold(bytes, block.firstElement, weight, this.#magic);
      return;
    }
    this.#values ??= new Float64Array(BLOCK_BYTES / 2);
    const values = this.#values.subarray(0, bytes.byteLength / dtypeSizeBytes(block.dtype));
    readFloats(block.dtype, bytes, values);
    const sums = segment.sums.subarray(block.firstElement, block.firstElement + values.length);
    foldValues(sums, values, weight, this.#magic);
  }
}

function foldValues(sums: Float64Array, values: Float64Array, weight: number, magic: number): void {
  for (let i = 0; i < values.length; i++) {
    (sums[i] as number) += weight * (values[i] as number) + magic - magic;
  }
}

/** Exact: both are multiples of the grid's step and their sum is within its range. */
function addInto(sums: Float64Array, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; at += BLOCK_BYTES) {
    const { buffer, byteOffset, byteLength } = aligned(bytes.subarray(at, at + BLOCK_BYTES), 8);
    const values = new Float64Array(buffer, byteOffset, byteLength / 8);
    const first = at / 8;
    for (let i = 0; i < values.length; i++) (sums[first + i] as number) += values[i] as number;
  }
}
