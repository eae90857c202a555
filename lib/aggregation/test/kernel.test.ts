import { afterEach, expect, test, vi } from "vitest";
import { magnitudeOfBits } from "../kernel/kernel.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

test("a process with WebAssembly takes the SIMD kernel", async () => {
  const { selectKernel } = await import("../kernel/select-kernel.ts");
  expect(selectKernel().name).toBe("wasm-simd");
  expect(selectKernel()).toBe(selectKernel());
});

test("a process without WebAssembly, as under --jitless, takes the plain kernel", async () => {
  vi.stubGlobal("WebAssembly", undefined);
  const { selectKernel } = await import("../kernel/select-kernel.ts");
  expect(selectKernel().name).toBe("plain");
});

test.each([
  [0, 0],
  [1, 2 ** -149],
  [0x3f800000, 1],
  [0x7f7fffff, 3.4028234663852886e38],
  [0x7f800000, undefined],
  [0x7fc00000, undefined],
  [0x7fffffff, undefined],
])("the magnitude of bits %i is %s", (bits, value) => {
  expect(magnitudeOfBits(bits)).toBe(value);
});
