import { expect, test } from "vitest";
import { utf8 } from "../../../../lib/base/bytes.ts";
import { readExampleCount, readValidation } from "../json-results.ts";

const malformed = expect.objectContaining({ code: "result-malformed" });

test("num_examples is what counts in the metadata", () => {
  expect(readExampleCount(utf8('{"num_examples": 600, "lr": 0.01, "note": "NaN"}'))).toBe(600);
  expect(readExampleCount(utf8('{"num_examples": 600.0, "loss": NaN}'))).toBe(600);
});

test.each([
  ["none", "{}"],
  ["zero", '{"num_examples": 0}'],
  ["a negative one", '{"num_examples": -1}'],
  ["half a one", '{"num_examples": 1.5}'],
  ["a text", '{"num_examples": "600"}'],
  ["NaN", '{"num_examples": NaN}'],
  ["one past what is exact", '{"num_examples": 9007199254740993}'],
  ["a list", "[600]"],
  ["no JSON", "600 examples"],
  ["nothing", ""],
])("%s is refused as num_examples", (_what, json) => {
  expect(() => readExampleCount(utf8(json))).toThrow(malformed);
});

test("numbers of a validation become metrics under names that travel", () => {
  const json = `{"test_loss": 0.25, "Test Accuracy (%)": 97, "train-Loss": 1e-3, "confusion": [[1]],
    "note": "NaN is not a number", "bad": NaN, "worse": -Infinity, "nested": {"a": 1}, "flag": true}`;
  expect(readValidation(utf8(json))).toEqual({
    exampleCount: 1,
    metrics: [
      { name: "test_loss", value: 0.25 },
      { name: "test_accuracy", value: 97 },
      { name: "train_loss", value: 1e-3 },
    ],
  });
});

test("a validation may say on how many examples it stands", () => {
  expect(readValidation(utf8('{"num_examples": 40, "loss": 1}'))).toEqual({
    exampleCount: 40,
    metrics: [{ name: "loss", value: 1 }],
  });
});

test("of 33 figures 32 are taken, and of two that fall together the first", () => {
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`m${index}`, index]));
  expect(readValidation(utf8(JSON.stringify(many))).metrics).toHaveLength(32);
  expect(readValidation(utf8('{"a b": 1, "a-b": 2}')).metrics).toEqual([{ name: "a_b", value: 1 }]);
});

test.each(["{}", '{"loss": NaN}', '{"loss": "0.1"}', "[1]", "0.5", "{", '{"?": 1}'])(
  "a validation of %s is refused",
  (json) => {
    expect(() => readValidation(utf8(json))).toThrow(malformed);
  },
);
