/** As much of the WebAssembly JavaScript interface as the kernel uses; Node's types leave it out. */
export type WasmEngine = {
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (
    module: WasmModule,
    imports: { readonly [module: string]: { readonly [name: string]: unknown } },
  ) => { readonly exports: unknown };
  readonly Memory: new (limits: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
};

export type WasmModule = { readonly brand: "WebAssembly.Module" };

/** The engine of this process; undefined under --jitless. */
export const wasmEngine = (): WasmEngine | undefined =>
  (globalThis as { readonly WebAssembly?: WasmEngine }).WebAssembly;
