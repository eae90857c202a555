import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chooseGrid } from "../../lib/aggregation/grid.ts";
import { toHex } from "../../lib/base/bytes.ts";
import { fedclave } from "../../proto/generated/fedclave.js";
import { readHyperparameter, readSessionFile, SESSION_OPTIONS } from "../session-options.ts";
import { completeSettings, largestWeightCap, seedOfText } from "../session-settings.ts";
import { HASH_A, HASH_B } from "../testing/session-views.ts";

const ground = { packageDigest: HASH_B, packageName: "mnist", seedModelHash: HASH_A };
const randomness = { bytes: (size: number) => new Uint8Array(size).fill(7) };
const { AggregatorKind, BiasCorrection } = fedclave.v1;

test("without any choice a session is FedAvg over two clients, and random", () => {
  const { settings } = completeSettings({}, ground, randomness);
  expect(settings).toEqual({
    version: 1,
    name: "mnist",
    seedModelHash: Uint8Array.from(Buffer.from(HASH_A, "hex")),
    packageDigest: Uint8Array.from(Buffer.from(HASH_B, "hex")),
    rounds: 10,
    aggregator: { kind: AggregatorKind.AGGREGATOR_KIND_FEDAVG },
    proximalMu: 0,
    minClients: 2,
    clientFraction: 1,
    overSelection: 0,
    quorumCount: 2,
    roundDeadlineMs: 600_000,
    maxAttempts: 5,
    elementBound: 8,
    weightCap: 32_768,
    sessionSeed: new Uint8Array(32).fill(7),
    hyperparameters: [],
    validate: true,
    maxCohort: 16,
  });
});

test("the quorum is min-clients unless told, and the cohort has room for all of them", () => {
  const { settings } = completeSettings({ minClients: 40 }, ground, randomness);
  expect([settings.quorumCount, settings.maxCohort]).toEqual([40, 40]);
});

test("a weight cap that was not chosen is said, one that was is taken", () => {
  const chosen = completeSettings({ weightCap: 100 }, ground, randomness);
  expect([chosen.settings.weightCap, chosen.notes]).toEqual([100, []]);
  expect(completeSettings({}, ground, randomness).notes).toEqual([
    "Weight cap: 32,768 examples per update, the largest power of two for up to 16 clients per round and changes of " +
      "at most 8 per weight.",
  ]);
});

test("the weight cap is the largest power of two that the grid takes", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: -6, max: 6 }),
      (maxCohort, power) => {
        const elementBound = 2 ** power;
        const weightCap = largestWeightCap(elementBound, maxCohort);
        expect(Number.isInteger(Math.log2(weightCap))).toBe(true);
        chooseGrid({ elementBound, weightCap, maxCohort });
        expect(() => chooseGrid({ elementBound, weightCap: 2 * weightCap, maxCohort })).toThrow();
      },
    ),
  );
});

test("adaptive aggregators get the paper's defaults, and what was chosen", () => {
  const adam = completeSettings({ aggregator: "fedadam", tau: 0.5 }, ground, randomness);
  expect(adam.settings.aggregator).toEqual({
    kind: AggregatorKind.AGGREGATOR_KIND_FEDADAM,
    learningRate: 0.01,
    beta1: 0.9,
    beta2: 0.99,
    tau: 0.5,
    initialSecondMoment: 0.25,
    biasCorrection: BiasCorrection.BIAS_CORRECTION_NONE,
  });
  const choices = { aggregator: "fedadagrad", biasCorrection: "flower", initialSecondMoment: 0 };
  expect(completeSettings(choices, ground, randomness).settings.aggregator).toMatchObject({
    kind: AggregatorKind.AGGREGATOR_KIND_FEDADAGRAD,
    beta1: 0,
    initialSecondMoment: 0,
    biasCorrection: BiasCorrection.BIAS_CORRECTION_FLOWER,
  });
});

test("what only adaptive aggregators heed is refused with FedAvg", () => {
  const choices = { beta1: 0.5, biasCorrection: "adam", mu: 0.1 };
  for (const given of [choices, { ...choices, aggregator: "fedavg" }]) {
    expect(() => completeSettings(given, ground, randomness)).toThrow(
      "--beta1, --bias-correction: not for fedavg",
    );
  }
  expect(() =>
    completeSettings({ ...choices, aggregator: "fedyogi" }, ground, randomness),
  ).not.toThrow();
});

test("a seed of 64 hex digits is taken as it is, any other text by its hash", () => {
  expect(toHex(seedOfText(HASH_A))).toBe(HASH_A);
  expect(toHex(seedOfText("1"))).toBe(
    // printf 'fedclave/session-seed-text/1\0001' | sha256sum
    "1b7682d4f76a8612e3f06d47f403cedfa45ae726e4277956d088f5deb86615b0",
  );
});

describe("a settings file", () => {
  test("takes every flag as a key", () => {
    const values: Record<string, string> = { aggregator: "fedyogi", "bias-correction": "adam" };
    const text = SESSION_OPTIONS.map(
      ({ flag, value }) => `${flag}: ${values[flag] ?? (value === "text" ? "some-text" : "3")}`,
    );
    const choices = readSessionFile(
      [...text, "validate: false", "set: {localEpochs: 2}"].join("\n"),
      "f",
    );
    expect(Object.keys(choices).sort()).toEqual(
      [...SESSION_OPTIONS.map(({ key }) => key), "set", "validate"].sort(),
    );
    expect(choices).toMatchObject({
      rounds: 3,
      name: "some-text",
      aggregator: "fedyogi",
      validate: false,
      set: { localEpochs: 2 },
    });
  });

  test.each<[string, string, string]>([
    ["a key nobody knows", "round: 3", 'key "round" is not understood'],
    ["a value of the wrong kind", "rounds: [3]", 'value of "rounds" is not understood'],
    ["a number that is none", "rounds: many", '"many" is not a number'],
    ["validate that is neither", "validate: maybe", 'value of "validate" is not understood'],
    ["hyperparameters that are no numbers", "set: {localEpochs: many}", "is not NAME=NUMBER"],
    ["a list", "- rounds", 'holds no "key: value" lines'],
    ["nothing", "", 'holds no "key: value" lines'],
    ["broken YAML", "rounds: [", "is not YAML"],
  ])("with %s is refused", (_what, text, message) => {
    expect(() => readSessionFile(text, "s.yaml")).toThrow(message);
  });
});

test.each(["", "=1", "a=", "a=x", "a b=1", "a=1=2"])("%j is no hyperparameter", (text) => {
  expect(() => readHyperparameter(text)).toThrow("is not NAME=NUMBER");
});

test("a hyperparameter is a name and a number", () => {
  expect(readHyperparameter("learningRate=1e-2")).toEqual(["learningRate", 0.01]);
});
