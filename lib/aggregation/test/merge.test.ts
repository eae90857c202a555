import { describe, expect, test } from "vitest";
import { concatBytes, toHex } from "../../base/bytes.ts";
import { InvariantError } from "../../base/refusal.ts";
import { type TensorLayout, trainableLayout } from "../../tensors/layout.ts";
import { parseModel, tensorBytes, writeSafetensors } from "../../tensors/safetensors.ts";
import { chooseGrid } from "../grid.ts";
import { createGridSum, type GridSum } from "../grid-sum.ts";
import { type AggregatorSettings, mergeRound } from "../merge.ts";
import type { AdaptiveSettings } from "../optimizers.ts";
import { bodyOf, valuesOf, vector } from "../testing/bodies.ts";

/** The inputs of the golden vectors: a model, three clients' deltas and their example counts. */
const MODEL = [1, -2, 0.5, 3];
const DELTAS = [
  [0.1, -0.2, 0.05, 0.3],
  [0.12, -0.18, 0.02, 0.28],
  [0.08, -0.25, 0.07, 0.33],
];
const COUNTS = [10, 20, 30];
const { gridExponent } = chooseGrid({ elementBound: 8, weightCap: 30, maxCohort: 3 });

const paper: AdaptiveSettings = {
  kind: "fedadam",
  learningRate: 0.1,
  beta1: 0.9,
  beta2: 0.99,
  tau: 1e-3,
  initialSecondMoment: 1e-6,
  biasCorrection: "none",
};
const flower = { ...paper, initialSecondMoment: 0, biasCorrection: "flower" } as const;
const yogi = { ...paper, kind: "fedyogi", learningRate: 0.01 } as const;
const adagrad = { ...paper, kind: "fedadagrad", beta1: 0 } as const;

function roundSum(layout: TensorLayout, counts = COUNTS): GridSum {
  const sum = createGridSum(trainableLayout(layout), gridExponent);
  DELTAS.forEach((values, i) => {
    sum.fold(bodyOf("F64", values), counts[i]!);
  });
  return sum;
}

/** The model after some rounds, in each of which the clients send the same deltas. */
function train(aggregator: AggregatorSettings, rounds: number, counts = COUNTS): number[] {
  let base = bodyOf("F64", MODEL);
  const { layout } = parseModel(base);
  let state: Uint8Array | undefined;
  for (let round = 0; round < rounds; round++) {
    const given = state === undefined ? {} : { state };
    const merged = mergeRound({
      base,
      layout,
      sum: roundSum(layout, counts),
      aggregator,
      ...given,
    });
    base = merged.model;
    state = merged.state;
  }
  return valuesOf("F64", base, layout);
}

const closeTo = (values: readonly number[], digits: number) =>
  values.map((value) => expect.closeTo(value, digits));

test.each([
  ["FedAvg", { kind: "fedavg" }, 1, COUNTS, [1.096666667, -2.218333333, 0.55, 3.308333333]],
  ["FedAvg, unweighted", { kind: "fedavg" }, 1, [1, 1, 1], [1.1, -2.21, 0.5466666667, 3.303333333]],
  [
    "FedAdam of the paper",
    paper,
    3,
    COUNTS,
    [1.363470571, -2.379037884, 0.8390316194, 3.382753879],
  ],
  ["FedAdam of Flower", flower, 3, COUNTS, [1.232712464, -2.242369869, 0.7182167272, 3.24473094]],
  [
    "FedAdam with the usual bias correction",
    { ...flower, biasCorrection: "adam" },
    3,
    COUNTS,
    [1.2781301, -2.289886927, 0.7605179033, 3.292764106],
  ],
  [
    "FedAdam of FEDn",
    { ...paper, learningRate: 1e-3, tau: 1e-4, initialSecondMoment: 1e-8 },
    3,
    COUNTS,
    [1.003889809, -2.003906241, 0.5038624541, 3.003910062],
  ],
  ["FedYogi of the paper", yogi, 3, COUNTS, [1.03624664, -2.037797348, 0.5338102412, 3.038167349]],
  [
    "FedYogi of Flower",
    { ...yogi, initialSecondMoment: 0 },
    3,
    COUNTS,
    [1.036346135, -2.037818719, 0.5341303172, 3.038178296],
  ],
  [
    "FedAdagrad of the paper",
    adagrad,
    3,
    COUNTS,
    [1.226557425, -2.227607632, 0.724809956, 3.227851924],
  ],
  [
    "FedAdagrad of Flower",
    { ...adagrad, initialSecondMoment: 0 },
    3,
    COUNTS,
    [1.226565549, -2.227609241, 0.7248398091, 3.227852732],
  ],
] as const satisfies readonly (readonly [
  string,
  AggregatorSettings,
  number,
  readonly number[],
  readonly number[],
])[])("%s gives the golden vector", (_what, aggregator, rounds, counts, expected) => {
  // The vectors have ten digits.
  expect(train(aggregator, rounds, [...counts])).toEqual(closeTo(expected, 9));
});

describe("a model of several types", () => {
  const base = writeSafetensors([
    vector("bf16", "BF16", [1, 2]),
    { name: "count", dtype: "I64", shape: [1], data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
    vector("f16", "F16", [1, 2, 3]),
    vector("f32", "F32", [1, 2, 3]),
    vector("f64", "F64", [1, 2]),
    { name: "mask", dtype: "BOOL", shape: [3], data: Uint8Array.of(0, 1, 1) },
  ]);
  const { layout } = parseModel(base);
  const trainable = trainableLayout(layout);

  const sumOf = (value: number): GridSum => {
    const sum = createGridSum(trainable, gridExponent);
    const body = writeSafetensors(
      trainable.tensors.map(({ name, dtype, elementCount }) =>
        vector(name, dtype as "F32", new Array(elementCount).fill(value)),
      ),
    );
    sum.fold(body, 1);
    return sum;
  };

  test("gets its floats changed and the rest copied", () => {
    const { model, state } = mergeRound({
      base,
      layout,
      sum: sumOf(0.25),
      aggregator: { kind: "fedavg" },
    });
    const expected = writeSafetensors([
      vector("bf16", "BF16", [1.25, 2.25]),
      { name: "count", dtype: "I64", shape: [1], data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
      vector("f16", "F16", [1.25, 2.25, 3.25]),
      vector("f32", "F32", [1.25, 2.25, 3.25]),
      vector("f64", "F64", [1.25, 2.25]),
      { name: "mask", dtype: "BOOL", shape: [3], data: Uint8Array.of(0, 1, 1) },
    ]);
    expect(toHex(model)).toBe(toHex(expected));
    expect(state).toBeUndefined();
  });

  test("may be merged in place", () => {
    const given = { layout, sum: sumOf(1 / 3), aggregator: paper };
    const apart = mergeRound({ ...given, base });
    const place = new Uint8Array(base);
    const inPlace = mergeRound({ ...given, base: place, output: place });
    expect(inPlace.model).toBe(place);
    expect(toHex(place)).toBe(toHex(apart.model));
    expect(toHex(inPlace.state!)).toBe(toHex(apart.state!));
  });

  test("is rounded to each type, ties to even", () => {
    const { model } = mergeRound({
      base,
      layout,
      sum: sumOf(2 ** -8),
      aggregator: { kind: "fedavg" },
    });
    const [bf16] = layout.tensors;
    // 1 + 2^-8 and 2 + 2^-8 lie half-way and a quarter up to the next bfloat16.
    expect(toHex(tensorBytes(model, bf16!))).toBe("803f0040");
  });
});

test("sums in any number of segments give the same model", () => {
  const length = 100_003;
  const values = Array.from({ length }, (_, i) => Math.sin(i));
  const base = bodyOf("F32", values);
  const { layout } = parseModel(base);
  const [one, many] = [length, 7_777].map((segmentElements) => {
    const sum = createGridSum(layout, 30, undefined, segmentElements);
    sum.fold(base, 3);
    return mergeRound({ base, layout, sum, aggregator: yogi });
  });
  expect(toHex(many!.model.subarray(0, 4096))).toBe(toHex(one!.model.subarray(0, 4096)));
  expect(Buffer.compare(many!.model, one!.model)).toBe(0);
  expect(Buffer.compare(many!.state!, one!.state!)).toBe(0);
});

test.each([
  ["a float16 past 65504", "F16", 65504, 16],
  ["a float32 past its largest", "F32", 3.4028234663852886e38, 2e31],
  ["a base that is not finite", "F32", Infinity, 0],
  ["a base that is not a number", "F64", Number.NaN, 0],
] as const)("%s is an error, not a model", (_what, dtype, value, sum) => {
  const base = bodyOf(dtype, [1, value]);
  const { layout } = parseModel(base);
  const round = { weightSum: 1, segments: () => [Float64Array.of(0, sum)] };
  expect(() => mergeRound({ base, layout, sum: round, aggregator: { kind: "fedavg" } })).toThrow(
    expect.objectContaining({ code: "non-finite-result" }),
  );
});

describe("an optimizer state", () => {
  const base = bodyOf("F64", MODEL);
  const { layout } = parseModel(base);
  const merge = (state?: Uint8Array) =>
    mergeRound({ base, layout, sum: roundSum(layout), aggregator: paper, ...(state && { state }) });
  const state = merge().state!;

  test("is canonical safetensors of m, v, the count of rounds and the layout it belongs to", () => {
    const { tensors } = parseModel(state).layout;
    expect(tensors.map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([
      ["layout", "U8", [32]],
      ["m", "F64", [4]],
      ["step", "U64", []],
      ["v", "F64", [4]],
      ["version", "U32", []],
    ]);
    expect(toHex(tensorBytes(state, tensors[2]!))).toBe("0100000000000000");
    expect(toHex(tensorBytes(merge(state).state!, tensors[2]!))).toBe("0200000000000000");
  });

  test("is not changed by the round it is given to", () => {
    const before = toHex(state);
    merge(state);
    expect(toHex(state)).toBe(before);
  });

  test("cut at any byte, longer, or of another model, is refused", () => {
    const wrong = expect.objectContaining({ code: "wrong-state" });
    for (let length = 0; length < state.byteLength; length++) {
      expect(() => merge(state.subarray(0, length))).toThrow(wrong);
    }
    expect(() => merge(concatBytes(state, Uint8Array.of(0)))).toThrow(wrong);
    const other = writeSafetensors([vector("y", "F64", MODEL)]);
    const { layout: otherLayout } = parseModel(other);
    const given = {
      base: other,
      layout: otherLayout,
      sum: roundSum(otherLayout),
      aggregator: paper,
    };
    expect(() => mergeRound({ ...given, state })).toThrow(wrong);
  });

  test("with a bit flipped in its header, layout hash or version is refused", () => {
    const { tensors, header } = parseModel(state).layout;
    const [hash, , , , version] = tensors;
    const guarded = [
      ...Array(header.byteLength).keys(),
      ...[...Array(32).keys()].map((i) => hash!.offsetBytes + i),
      ...[...Array(4).keys()].map((i) => version!.offsetBytes + i),
    ];
    for (const at of guarded) {
      const flipped = new Uint8Array(state);
      flipped[at]! ^= 1 << (at % 8);
      expect(() => merge(flipped)).toThrow(expect.objectContaining({ code: "wrong-state" }));
    }
  });
});

test.each([
  ["nothing was summed", {}, { weightSum: 0 }],
  ["there are fewer sums than elements", {}, { segments: () => [new Float64Array(3)] }],
  [
    "there are more sums than elements",
    {},
    { segments: () => [new Float64Array(4), new Float64Array(1)] },
  ],
  ["the output has another size", { output: new Uint8Array(8) }, {}],
  ["the base has another size", { base: bodyOf("F64", [1, 2]) }, {}],
  ["a learning rate is 0", { aggregator: { ...paper, learningRate: 0 } }, {}],
  ["a beta is 1", { aggregator: { ...paper, beta2: 1 } }, {}],
  ["tau is NaN", { aggregator: { ...paper, tau: Number.NaN } }, {}],
])("it is a broken invariant when %s", (_what, given, sumGiven) => {
  const base = bodyOf("F64", MODEL);
  const { layout } = parseModel(base);
  const sum = { weightSum: 1, segments: () => [new Float64Array(4)], ...sumGiven };
  const input = { base, layout, sum, aggregator: { kind: "fedavg" } as const, ...given };
  expect(() => mergeRound(input)).toThrow(InvariantError);
});
