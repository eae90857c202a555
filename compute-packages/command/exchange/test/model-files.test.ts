import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parseNpz, writeNpz } from "../../../../lib/tensors/helpers/npz.ts";
import {
  parseModel,
  parseSafetensors,
  type TensorData,
  writeSafetensors,
} from "../../../../lib/tensors/safetensors.ts";
import { numpyPython } from "../../testing/python.ts";
import { numberTensors, readModelFile, writeModelFile } from "../model-files.ts";
import { writeUpdate } from "../update.ts";

const floats = (values: readonly number[]) => new Uint8Array(new Float32Array(values).buffer);
const tensor = (name: string, shape: readonly number[], values: readonly number[]): TensorData => ({
  name,
  dtype: "F32",
  shape,
  data: floats(values),
});
const counter: TensorData = {
  name: "2",
  dtype: "I64",
  shape: [],
  data: new Uint8Array(new BigInt64Array([7n]).buffer),
};
const model = writeSafetensors([
  tensor("0", [2, 3], [1, 2, 3, 4, 5, 6]),
  tensor("1", [2], [10, 20]),
  counter,
]);
const { layout } = parseModel(model);
const numbered = numberTensors(layout, {});

const updateOf = (trained: Parameters<typeof writeUpdate>[3]) =>
  parseSafetensors(writeUpdate(model, layout, numbered, trained)).tensors.map(
    ({ name, dtype, data }) => [name, dtype, [...new Float32Array(data.slice().buffer)]],
  );

describe("numbering", () => {
  test("goes by value, not by spelling: 10 comes behind 2", () => {
    const names = Array.from({ length: 12 }, (_, index) => String(index));
    const large = parseModel(writeSafetensors(names.map((name) => tensor(name, [], [0])))).layout;
    expect(large.tensors.map(({ name }) => name).slice(0, 4)).toEqual(["0", "1", "10", "11"]);
    expect(numberTensors(large, {}).map(({ name }) => name)).toEqual(names);
    const file = writeModelFile(
      "numpyhelper",
      writeSafetensors(names.map((n) => tensor(n, [], [0]))),
      numberTensors(large, {}),
    );
    expect(parseNpz(file).map(({ name }) => name)).toEqual(names);
  });

  test("goes by the manifest's names where it has some", () => {
    const named = parseModel(writeSafetensors([tensor("b", [], [0]), tensor("a", [], [0])])).layout;
    const order = numberTensors(named, { tensorNames: ["b", "a"] });
    expect(order.map(({ name }) => name)).toEqual(["b", "a"]);
  });

  test.each<[string, readonly string[], readonly string[] | undefined]>([
    ["names without numbers", ["a", "b"], undefined],
    ["a gap", ["0", "2"], undefined],
    ["a number spelt otherwise", ["0", "01"], undefined],
    ["fewer than the manifest has", ["a"], ["a", "b"]],
    ["more than the manifest has", ["a", "b"], ["a"]],
  ])("of %s is refused: the model belongs to another package", (_what, names, tensorNames) => {
    const other = parseModel(writeSafetensors(names.map((name) => tensor(name, [], [0])))).layout;
    expect(() => numberTensors(other, { tensorNames })).toThrow(
      expect.objectContaining({ code: "model-mismatch" }),
    );
  });
});

describe("updates", () => {
  const [zero, one, two] = parseNpz(writeModelFile("numpyhelper", model, numbered));
  const good = [{ ...zero!, data: floats([1, 2, 3, 4, 5, 7.5]) }, one!, two!];

  test("are what was trained minus the base; integers stay behind", () => {
    expect(updateOf(good)).toEqual([
      ["0", "F32", [0, 0, 0, 0, 0, 1.5]],
      ["1", "F32", [0, 0]],
    ]);
  });

  test("numpy's float64 is taken for float32", () => {
    const wide = new Uint8Array(new Float64Array([1, 2, 3, 4, 5, 7.5]).buffer);
    expect(updateOf([{ ...zero!, dtype: "F64", data: wide }, one!, two!])[0]).toEqual([
      "0",
      "F32",
      [0, 0, 0, 0, 0, 1.5],
    ]);
  });

  test.each<[string, Parameters<typeof writeUpdate>[3], string]>([
    ["another shape", [{ ...zero!, shape: [3, 2] }, one!, two!], "result-malformed"],
    ["integers for floats", [{ ...zero!, dtype: "I32" }, one!, two!], "result-malformed"],
    ["NaN", [{ ...zero!, data: floats([1, 2, 3, 4, 5, Number.NaN]) }, one!, two!], "diverged"],
    ["infinity", [{ ...zero!, data: floats([1, 2, 3, 4, 5, -1 / 0]) }, one!, two!], "diverged"],
  ])("of %s are refused", (_what, trained, code) => {
    expect(() => updateOf(trained)).toThrow(expect.objectContaining({ code }));
  });

  test.each<[string, readonly string[]]>([
    ["an array too few", ["0", "1"]],
    ["an array too many", ["0", "1", "2", "3"]],
    ["numpy's names for arrays without any", ["arr_0", "arr_1", "arr_2"]],
  ])("of a file with %s are refused", (_what, names) => {
    const file = writeNpz(names.map((name) => tensor(name, [], [0])));
    expect(() => readModelFile("numpyhelper", file, numbered)).toThrow(
      expect.objectContaining({ code: "result-malformed" }),
    );
  });
});

describe("vectors", () => {
  const plain = writeSafetensors([tensor("0", [2], [1, 2]), tensor("1", [], [0.5])]);
  const plainLayout = parseModel(plain).layout;
  const order = numberTensors(plainLayout, {});

  test("binaryhelper's are little-endian float64 without a header, androidhelper's float32", () => {
    const wide = writeModelFile("binaryhelper", plain, order);
    expect([...new Float64Array(wide.buffer)]).toEqual([1, 2, 0.5]);
    const narrow = writeModelFile("androidhelper", plain, order);
    expect([...new Float32Array(narrow.buffer)]).toEqual([1, 2, 0.5]);
    for (const [helper, file] of [
      ["binaryhelper", wide],
      ["androidhelper", narrow],
    ] as const) {
      const arrays = readModelFile(helper, file, order);
      expect(writeUpdate(plain, plainLayout, order, arrays)).toEqual(
        writeSafetensors([tensor("0", [2], [0, 0]), tensor("1", [], [0])]),
      );
    }
  });

  test.each(["binaryhelper", "androidhelper"] as const)(
    "%s's of another length are refused",
    (helper) => {
      const file = writeModelFile(helper, plain, order);
      for (const wrong of [file.subarray(1), new Uint8Array(file.byteLength + 1)]) {
        expect(() => readModelFile(helper, wrong, order)).toThrow(
          expect.objectContaining({ code: "result-malformed" }),
        );
      }
    },
  );

  test("cannot hold integers", () => {
    expect(() => writeModelFile("binaryhelper", model, numbered)).toThrow(
      expect.objectContaining({ code: "model-not-expressible" }),
    );
  });
});

test("a model with BF16 cannot be given to numpy", () => {
  const odd = writeSafetensors([{ name: "0", dtype: "BF16", shape: [1], data: new Uint8Array(2) }]);
  const order = numberTensors(parseModel(odd).layout, {});
  expect(() => writeModelFile("numpyhelper", odd, order)).toThrow(
    expect.objectContaining({ code: "model-not-expressible" }),
  );
});

describe.skipIf(numpyPython === undefined)("with numpy itself", () => {
  const directory = mkdtempSync(path.join(tmpdir(), "fedclave-numpy-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const [input, output] = [path.join(directory, "in.npz"), path.join(directory, "out.npz")];
  const run = (script: string) => execFileSync(numpyPython!, ["-c", script, input, output]);

  test.each([
    ["deflated, as numpyhelper writes", "numpy.savez_compressed(sys.argv[2], **new)"],
    ["stored", "numpy.savez(sys.argv[2], **new)"],
    [
      "in Fortran order, as transposed layers are",
      "numpy.savez_compressed(sys.argv[2], **{k: numpy.asfortranarray(v) for k, v in new.items()})",
    ],
    [
      "to a stream that cannot seek, with sizes behind the data",
      [
        "class Pipe:",
        "  def __init__(self, file): self.file = file",
        "  def write(self, data): return self.file.write(data)",
        "  def flush(self): self.file.flush()",
        "  def read(self, *_): raise OSError()",
        "with open(sys.argv[2], 'wb') as f: numpy.savez_compressed(Pipe(f), **new)",
      ].join("\n"),
    ],
    [
      "as float64",
      "numpy.savez(sys.argv[2], **{k: v.astype('f8') if v.dtype == 'f4' else v for k, v in new.items()})",
    ],
  ])("reads what it gives and takes what comes back %s", (_what, save) => {
    writeFileSync(input, writeModelFile("numpyhelper", model, numbered));
    run(
      [
        "import sys, numpy",
        "old = numpy.load(sys.argv[1])",
        "assert old.files == ['0', '1', '2'], old.files",
        "assert old['2'].shape == () and old['2'].dtype == 'i8'",
        "new = {'0': old['0'] + numpy.float32(0.25), '1': old['1'] * numpy.float32(2), '2': old['2'] + 1}",
        save,
      ].join("\n"),
    );
    const arrays = readModelFile("numpyhelper", readFileSync(output), numbered);
    expect(updateOf(arrays)).toEqual([
      ["0", "F32", [0.25, 0.25, 0.25, 0.25, 0.25, 0.25]],
      ["1", "F32", [10, 20]],
    ]);
  });
});
