import type { Kernel } from "./kernel.ts";
import { plainKernel } from "./plain.ts";
import { wasmKernel } from "./wasm.ts";
import { wasmEngine } from "./wasm-engine.ts";

let selected: Kernel | undefined;

/** WebAssembly SIMD, or plain TypeScript where there is none (as under --jitless). Chosen once per process. */
export function selectKernel(): Kernel {
  const engine = wasmEngine();
  selected ??= engine === undefined ? plainKernel() : wasmKernel(engine);
  return selected;
}
