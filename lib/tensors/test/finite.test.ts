import { expect, test } from "vitest";
import { firstNonFinite } from "../finite.ts";
import { parseModel, type TensorData, writeSafetensors } from "../safetensors.ts";

const COUNT = 70_000;

function model(value: number, position: number): Uint8Array {
  const values = new Float32Array(COUNT).fill(1);
  values[position] = value;
  const floats: TensorData = {
    name: "w",
    dtype: "F32",
    shape: [COUNT],
    data: new Uint8Array(values.buffer),
  };
  const integers: TensorData = {
    name: "steps",
    dtype: "I64",
    shape: [1],
    data: new Uint8Array(8).fill(255),
  };
  return writeSafetensors([floats, integers]);
}

test.each([0, 65_535, 65_536, COUNT - 1])(
  "a NaN or infinity at element %i is found",
  (position) => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const file = model(value, position);
      expect(firstNonFinite(file, parseModel(file).layout)).toBe("w");
    }
  },
);

test("finite numbers pass, whatever bits integers have", () => {
  const file = model(-3.4e38, 5);
  expect(firstNonFinite(file, parseModel(file).layout)).toBeUndefined();
});
