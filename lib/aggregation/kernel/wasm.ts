/** The kernel in WebAssembly SIMD, assembled from grid-sum.wat when the repository is built. */
import { wasmBase64 } from "./generated/grid-sum.ts";
import { BLOCK_BYTES, type Kernel, magnitudeOfBits } from "./kernel.ts";
import type { WasmEngine, WasmModule } from "./wasm-engine.ts";

const PAGE_BYTES = 65_536;
const FLOAT_BYTES = 4;
const SUM_BYTES = 8;
/** `largest` and `squares` read 16 elements at a time. */
const SCAN_UNIT_BYTES = 64;

type Exports = {
  readonly fold: (source: number, target: number, count: number, w: number, m: number) => void;
  readonly largest: (source: number, count: number) => number;
  readonly squares: (source: number, count: number) => number;
};

/**
 * Staging is at address 0, sums behind it. Memory is never shared between threads: copies into shared memory are
 * several times slower (facts/npm.md §4), and nothing here would gain from it.
 */
export function wasmKernel(engine: WasmEngine): Kernel {
  const module = new engine.Module(Buffer.from(wasmBase64, "base64"));
  let scanner: ReturnType<typeof open> | undefined;
  return {
    name: "wasm-simd",
    openSegment: (elementCount) => {
      const { buffer, staging, exports } = open(engine, module, elementCount * SUM_BYTES);
      return {
        sums: new Float64Array(buffer, BLOCK_BYTES, elementCount),
        fold: (source, firstElement, weight, magic) => {
          staging.set(source);
          const target = BLOCK_BYTES + firstElement * SUM_BYTES;
          exports.fold(0, target, source.byteLength / FLOAT_BYTES, weight, magic);
        },
      };
    },
    scan: (source, wantsSquares) => {
      // One for all: a scan leaves nothing behind, and each memory reserves much address space.
      scanner ??= open(engine, module, 0);
      const { staging, exports } = scanner;
      const padded = Math.ceil(source.byteLength / SCAN_UNIT_BYTES) * SCAN_UNIT_BYTES;
      staging.set(source);
      staging.fill(0, source.byteLength, padded);
      const count = padded / FLOAT_BYTES;
      return {
        largest: magnitudeOfBits(exports.largest(0, count)),
        sumOfSquares: wantsSquares ? exports.squares(0, count) : 0,
      };
    },
  };
}

function open(engine: WasmEngine, module: WasmModule, sumsBytes: number) {
  const pages = Math.ceil((BLOCK_BYTES + sumsBytes) / PAGE_BYTES);
  const memory = new engine.Memory({ initial: pages, maximum: pages });
  const instance = new engine.Instance(module, { fedclave: { memory } });
  return {
    buffer: memory.buffer,
    staging: new Uint8Array(memory.buffer, 0, BLOCK_BYTES),
    exports: instance.exports as Exports,
  };
}
