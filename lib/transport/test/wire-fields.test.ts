import { describe, expect, test } from "vitest";
import { digestOf, type SessionId } from "../../base/ids.ts";
import { generateSigningKey } from "../../base/keys.ts";
import { MAX_HYPERPARAMETERS, MAX_METRICS, MAX_REASONS } from "../../base/limits.ts";
import { RefusedError } from "../../base/refusal.ts";
import { verifyUpdateHeader } from "../../federation/update-header.ts";
import { parseUpdateHeader, signUpdateHeader } from "../update-header-message.ts";
import {
  needDigest,
  needFinite,
  needHyperparameters,
  needInteger,
  needMetrics,
  needName,
  needRoundKey,
  needSessionRound,
  needUpdateLimits,
  needVersion,
  readRefusals,
} from "../wire-fields.ts";

const sessionId = "a".repeat(26) as SessionId;
const key = { sessionId, round: 2, attempt: 3 };
const limits = { elementBound: 8, normBound: 3, weightCap: 1000, gridExponent: 29 };
const repeated = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ name: `n${i}`, value: i }));

const codeOf = (read: () => unknown): string => {
  try {
    read();
  } catch (error) {
    if (error instanceof RefusedError) return error.refusals.map(({ code }) => code).join();
    throw error;
  }
  return "taken";
};

describe("refused are", () => {
  test.each<[string, () => unknown, string]>([
    ["no round key", () => needRoundKey(undefined), "malformed-round-key"],
    ["a short session", () => needRoundKey({ ...key, sessionId: "a" }), "malformed-round-key"],
    ["round 0", () => needRoundKey({ ...key, round: 0 }), "malformed-round-key"],
    ["attempt 0", () => needRoundKey({ ...key, attempt: 0 }), "malformed-round-key"],
    ["a validation of round 0", () => needSessionRound({ sessionId }), "malformed-round-key"],
    ["no name", () => needName(null), "malformed-name"],
    ["a name in capitals", () => needName("Anna"), "malformed-name"],
    ["a name of 64", () => needName("a".repeat(64)), "malformed-name"],
    ["no digest", () => needDigest(null), "malformed-digest"],
    ["a digest of 31 bytes", () => needDigest(new Uint8Array(31)), "malformed-digest"],
    ["a digest of 33 bytes", () => needDigest(new Uint8Array(33)), "malformed-digest"],
    ["no integer", () => needInteger(undefined, 1, 9), "malformed-number"],
    ["an integer below", () => needInteger(0, 1, 9), "malformed-number"],
    ["an integer above", () => needInteger(10, 1, 9), "malformed-number"],
    ["a fraction", () => needInteger(1.5, 1, 9), "malformed-number"],
    ["past 2^53", () => needInteger(2 ** 53, 1, Infinity), "malformed-number"],
    ["NaN", () => needFinite(Number.NaN, 0), "malformed-number"],
    ["infinity", () => needFinite(Infinity, 0), "malformed-number"],
    ["a number below", () => needFinite(-1, 0), "malformed-number"],
    ["no version", () => needVersion(undefined), "unknown-version"],
    ["version 2", () => needVersion(2), "unknown-version"],
    ["no limits", () => needUpdateLimits(undefined), "malformed-number"],
    ["bound 0", () => needUpdateLimits({ ...limits, elementBound: 0 }), "malformed-number"],
    ["norm 0", () => needUpdateLimits({ ...limits, normBound: 0 }), "malformed-number"],
    ["weight cap 0", () => needUpdateLimits({ ...limits, weightCap: 0 }), "malformed-number"],
    ["grid 1001", () => needUpdateLimits({ ...limits, gridExponent: 1001 }), "malformed-number"],
    ["too many metrics", () => needMetrics(repeated(MAX_METRICS + 1)), "malformed-report"],
    ["a metric twice", () => needMetrics([...repeated(1), ...repeated(1)]), "malformed-metric"],
    ["a metric of NaN", () => needMetrics([{ name: "a", value: Number.NaN }]), "malformed-metric"],
    ["a metric in capitals", () => needMetrics([{ name: "A" }]), "malformed-metric"],
    [
      "too many hyperparameters",
      () => needHyperparameters(repeated(MAX_HYPERPARAMETERS + 1)),
      "malformed-hyperparameter",
    ],
    [
      "a hyperparameter without a name",
      () => needHyperparameters([{ value: 1 }]),
      "malformed-hyperparameter",
    ],
  ])("%s", (_, read, code) => {
    expect(codeOf(read)).toBe(code);
  });
});

test("fields at their limits are taken as they are", () => {
  expect(needRoundKey(key)).toEqual(key);
  expect(needInteger(2 ** 53 - 1, 1, Number.MAX_SAFE_INTEGER)).toBe(2 ** 53 - 1);
  expect(needUpdateLimits(limits)).toEqual(limits);
  expect(needUpdateLimits({ ...limits, normBound: null as never })).not.toHaveProperty("normBound");
  expect(needMetrics(repeated(MAX_METRICS))).toHaveLength(MAX_METRICS);
  expect(needHyperparameters([{ name: "A.b_1", value: -3 }])).toEqual([
    { name: "A.b_1", value: -3 },
  ]);
});

test("of a peer's reasons the first sixteen are read, and what is no code is not shown as one", () => {
  const reasons = readRefusals(
    Array.from({ length: 100 }, () => ({ code: "Not a code", seen: "x" })),
  );
  expect(reasons).toHaveLength(MAX_REASONS);
  expect(reasons[0]).toEqual({ code: "unnamed", seen: "x", wanted: "" });
});

test("a signed header comes back as it was, under its member's key alone", () => {
  const member = generateSigningKey();
  const header = {
    federationId: "f",
    key,
    member: "anna",
    baseModelHash: digestOf(new Uint8Array(1)),
    updateDigest: digestOf(new Uint8Array(2)),
    sizeBytes: 5,
    exampleCount: 7,
  };
  const parsed = parseUpdateHeader(signUpdateHeader(header, member));
  expect(parsed.header).toEqual(header);
  expect(verifyUpdateHeader(member.publicKeyDer, parsed.signed)).toBe(true);
  expect(verifyUpdateHeader(generateSigningKey().publicKeyDer, parsed.signed)).toBe(false);
});
