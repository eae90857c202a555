/** Against the real numpy, where there is one; elsewhere one skipped test says so. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { toHex } from "../../../base/bytes.ts";
import { readFloats, writeFloats } from "../../floats.ts";
import { parseNpz, writeNpz } from "../npz.ts";

const python = ["python3", "/usr/bin/python3"].find(
  (command) => spawnSync(command, ["-c", "import numpy"]).status === 0,
);
const dir = mkdtempSync(path.join(tmpdir(), "fedclave-numpy-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** Runs a script that finds np, json, sys and `dir`; returns what it prints as JSON. */
function runPython(script: string): unknown {
  const prelude = `import json, sys, io, numpy as np\ndir = ${JSON.stringify(`${dir}/`)}\n`;
  const { status, stdout, stderr } = spawnSync(python ?? "", ["-c", prelude + script], {
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

const described = `
def describe(arrays):
    return {k: [v.dtype.str, list(v.shape), np.ascontiguousarray(v).tobytes().hex()] for k, v in arrays.items()}
`;

const DTYPES = {
  BOOL: "|b1",
  U8: "|u1",
  I8: "|i1",
  U16: "<u2",
  I16: "<i2",
  U32: "<u4",
  I32: "<i4",
  U64: "<u8",
  I64: "<i8",
  F16: "<f2",
  F32: "<f4",
  F64: "<f8",
} as const;

if (python === undefined) test.skip("numpy: skipped, no python3 with numpy was found", () => {});

test.skipIf(python === undefined)("every npz that numpy writes is read as numpy reads it", () => {
  const wanted = runPython(`${described}
class Pipe(io.RawIOBase):
    def __init__(self): self.file = open(dir + "streamed.npz", "wb")
    def writable(self): return True
    def seekable(self): return False
    def write(self, data): return self.file.write(data)
    def close(self): self.file.close()
rng = np.random.default_rng(1)
arrays = {}
for t in ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]:
    a = (rng.standard_normal((2, 3, 4)) * 50).astype(t)
    arrays[t + " rows"] = a
    arrays[t + " columns"] = np.asfortranarray(a)
    arrays[t + " scalar"] = a[0, 0, 0]
    arrays[t + " sliced"] = a[:, ::2, 1]
arrays["empty"] = np.zeros((0, 3), "f4")
arrays["layer/0.weight:é"] = np.asfortranarray(np.arange(6, dtype="f4").reshape(2, 3))
np.savez(dir + "stored.npz", **arrays)
np.savez_compressed(dir + "deflated.npz", **arrays)
np.savez_compressed(Pipe(), **arrays)
print(json.dumps(describe(arrays)))
`) as Record<string, [string, number[], string]>;
  for (const file of ["stored", "deflated", "streamed"]) {
    const tensors = parseNpz(readFileSync(path.join(dir, `${file}.npz`)));
    const read = tensors.map(({ name, dtype, shape, data }) => [
      name,
      [DTYPES[dtype as keyof typeof DTYPES], [...shape], toHex(data)],
    ]);
    expect(Object.fromEntries(read)).toEqual(wanted);
  }
});

test.skipIf(python === undefined)("numpy reads every npz that we write", () => {
  const tensors = Object.keys(DTYPES).flatMap((dtype, index) =>
    [[], [0], [5], [2, 3, 4]].map((shape) => {
      const count = shape.reduce((a, b) => a * b, Number(DTYPES[dtype as "U8"].slice(2)));
      const data = new Uint8Array(count).map((_, i) => (dtype === "BOOL" ? i & 1 : i + index));
      return { name: `é/${dtype} ${shape.join("x")}`, dtype: dtype as "U8", shape, data };
    }),
  );
  writeFileSync(path.join(dir, "ours.npz"), writeNpz(tensors));
  const read = runPython(
    `${described}\nprint(json.dumps(describe(dict(np.load(dir + "ours.npz", allow_pickle=False)))))`,
  );
  expect(read).toEqual(
    Object.fromEntries(
      tensors.map(({ name, dtype, shape, data }) => [name, [DTYPES[dtype], shape, toHex(data)]]),
    ),
  );
});

test.skipIf(python === undefined)("float16 and float32 are rounded as numpy rounds them", () => {
  const wanted = runPython(`
rng = np.random.default_rng(2)
x = rng.standard_normal(5000) * 10.0 ** rng.integers(-9, 5, 5000)
x.tofile(dir + "x.bin")
with np.errstate(over="ignore"):
    print(json.dumps([x.astype(t).tobytes().hex() for t in ("<f2", "<f4")]))
`) as string[];
  const bytes = readFileSync(path.join(dir, "x.bin"));
  const values = new Float64Array(bytes.byteLength / 8);
  readFloats("F64", bytes, values);
  (["F16", "F32"] as const).forEach((dtype, index) => {
    const into = new Uint8Array(values.length * (dtype === "F16" ? 2 : 4));
    writeFloats(dtype, values, into);
    expect(toHex(into)).toBe(wanted[index]);
  });
});
