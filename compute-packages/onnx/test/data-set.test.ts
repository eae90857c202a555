import { expect, test } from "vitest";
import { writeNpz } from "../../../lib/tensors/helpers/npz.ts";
import { type TensorData, writeSafetensors } from "../../../lib/tensors/safetensors.ts";
import { DataSetError, readDataSet } from "../data-set.ts";
import { smallPackage } from "../testing/small-package.ts";

const { manifest } = smallPackage();

function floats(name: string, shape: readonly number[], first = 1): TensorData {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5);
  if (values.length > 0) values[0] = first;
  return { name, dtype: "F32", shape, data: new Uint8Array(values.buffer) };
}
const bytes = (name: string, count: number): TensorData => ({
  name,
  dtype: "U8",
  shape: [count],
  data: new Uint8Array(count).fill(2),
});

const training = [floats("x", [4, 3]), bytes("y", 4)];
const validation = [floats("x_validation", [2, 3]), bytes("y_validation", 2)];

test.each([
  ["safetensors", writeSafetensors],
  ["npz", writeNpz],
])("reads training and validation examples from .%s", (_kind, write) => {
  const data = readDataSet(write([...training, ...validation]), manifest);
  expect(data.training?.exampleCount).toBe(4);
  expect(data.validation?.exampleCount).toBe(2);
  const x = data.training!.inputs.get("x")!;
  expect(x.spec).toEqual({ dtype: "F32", shape: [3] });
  expect(x.bytes.byteOffset % 4).toBe(0);
  expect([...new Float32Array(x.bytes.buffer, x.bytes.byteOffset, 12)]).toEqual([
    1,
    ...Array(11).fill(0.5),
  ]);
  expect([...data.validation!.inputs.get("y")!.bytes]).toEqual([2, 2]);
});

test("a file at an odd address is read into place", () => {
  const file = writeSafetensors(training);
  const shifted = new Uint8Array(file.byteLength + 1);
  shifted.set(file, 1);
  const x = readDataSet(shifted.subarray(1), manifest).training!.inputs.get("x")!;
  expect(x.bytes.byteOffset % 4).toBe(0);
  expect(new Float32Array(x.bytes.buffer, x.bytes.byteOffset, 1)[0]).toBe(1);
});

test("either kind of examples is enough", () => {
  expect(readDataSet(writeSafetensors(training), manifest).validation).toBeUndefined();
  expect(readDataSet(writeSafetensors(validation), manifest).training).toBeUndefined();
});

test.each<[string, () => Uint8Array, string, RegExp]>([
  ["text", () => new TextEncoder().encode("x,y\n1,2\n"), "data-not-readable", /safetensors/],
  ["a broken zip", () => new TextEncoder().encode("PK\u0003\u0004"), "data-not-readable", /npz/],
  ["no tensor of the package", () => writeSafetensors([]), "data-tensor-missing", /x, y/],
  [
    "a misspelt tensor",
    () => writeSafetensors([...training, bytes("y_valdation", 4)]),
    "data-tensor-unknown",
    /y_valdation/,
  ],
  [
    "features without labels",
    () => writeSafetensors([floats("x", [4, 3])]),
    "data-tensor-missing",
    /hold y/,
  ],
  [
    "validation labels alone",
    () => writeSafetensors([...training, bytes("y_validation", 2)]),
    "data-tensor-missing",
    /x_validation/,
  ],
  [
    "another dtype",
    () => writeSafetensors([bytes("x", 4), bytes("y", 4)]),
    "data-dtype-differs",
    /U8, wanted F32/,
  ],
  [
    "another width",
    () => writeSafetensors([floats("x", [4, 2]), bytes("y", 4)]),
    "data-shape-differs",
    /\[4,2\]/,
  ],
  [
    "an axis too many",
    () => writeSafetensors([floats("x", [4, 3, 1]), bytes("y", 4)]),
    "data-shape-differs",
    /examples, 3/,
  ],
  [
    "no example axis",
    () => writeSafetensors([floats("x", [3]), bytes("y", 4)]),
    "data-shape-differs",
    /\[3\]/,
  ],
  [
    "a scalar",
    () => writeSafetensors([{ ...floats("x", []), data: new Uint8Array(4) }, bytes("y", 4)]),
    "data-shape-differs",
    /\[\]/,
  ],
  [
    "labels of another count",
    () => writeSafetensors([floats("x", [4, 3]), bytes("y", 5)]),
    "data-counts-differ",
    /4, 5/,
  ],
  [
    "no examples",
    () => writeSafetensors([floats("x", [0, 3]), bytes("y", 0)]),
    "data-empty",
    /no examples/,
  ],
  [
    "NaN",
    () => writeSafetensors([floats("x", [4, 3], Number.NaN), bytes("y", 4)]),
    "data-not-finite",
    /NaN/,
  ],
  [
    "infinity",
    () => writeSafetensors([floats("x", [4, 3], -Infinity), bytes("y", 4)]),
    "data-not-finite",
    /infinity/,
  ],
])("refuses %s", (_what, file, code, message) => {
  const read = () => readDataSet(file(), manifest);
  expect(read).toThrow(DataSetError);
  expect(read).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
});
