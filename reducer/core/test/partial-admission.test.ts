import { expect, test } from "vitest";
import { utf8 } from "../../../lib/base/bytes.ts";
import { digestOf, type Name, type UnixMs } from "../../../lib/base/ids.ts";
import { generateSigningKey } from "../../../lib/base/keys.ts";
import { signHeaderBytes } from "../../../lib/federation/update-header.ts";
import {
  admitPartial,
  type PartialExpectations,
  type UnverifiedHeader,
  type UnverifiedPartial,
} from "../partial-admission.ts";
import { stepRound } from "../round.ts";
import { beginRound, type Round } from "../round-state.ts";
import { name, World } from "../testing/world.ts";

const key = { sessionId: new World({ combiners: 0, clients: 0 }).sessionId, round: 2, attempt: 1 };
const members = [name("anna"), name("bert")];
const keys = new Map(members.map((member) => [member as string, generateSigningKey()]));
const base = digestOf(utf8("base"));
const federationId = "a".repeat(52) as PartialExpectations["federationId"];
const combiner = name("north");

function mergingRound(): Round {
  const leases = new Map([[combiner, { combiner, leaseEpoch: 4, members }]]);
  const round = beginRound({
    key,
    cohort: members,
    wantedCount: 2,
    quorumCount: 1,
    deadlineMs: 1000 as UnixMs,
    leases,
  });
  return members.reduce(
    (stepped, member) =>
      stepRound(
        stepped,
        {
          kind: "update-folded",
          combiner,
          leaseEpoch: 4,
          member,
          fold: { exampleCount: 1, sizeBytes: 1 },
        },
        0 as UnixMs,
      ).round,
    round,
  );
}

function header(
  member: string,
  changes: Partial<UnverifiedHeader["header"]> = {},
  signer = member,
): UnverifiedHeader {
  const fields = {
    federationId,
    key,
    member,
    baseModelHash: base,
    sizeBytes: 100,
    exampleCount: 3,
    ...changes,
  };
  const bytes = utf8(JSON.stringify(fields));
  return { signed: signHeaderBytes(bytes, keys.get(signer)!), header: fields };
}

const cut = ({ bytes, signature }: UnverifiedHeader["signed"]) => ({
  bytes,
  signature: signature.subarray(1),
});

const good: UnverifiedPartial = {
  federationId,
  combiner,
  key,
  leaseEpoch: 4,
  gridExponent: 29,
  weightSum: 6,
  headers: [header("anna"), header("bert")],
};

const expected: PartialExpectations = {
  federationId,
  combiner,
  round: mergingRound(),
  baseModelHash: base,
  gridExponent: 29,
  weightCap: 10,
  updateSizeBytes: 100,
  publicKeyOf: (member) => keys.get(member)?.publicKeyDer,
};

test("a partial that matches its lease is admitted with its members and weights", () => {
  const result = admitPartial(good, expected);
  expect(result).toMatchObject({
    admitted: { leaseEpoch: 4, weightSum: 6, updates: [{ member: "anna" }, { member: "bert" }] },
  });
});

const anna = header("anna");
const bert = header("bert");

test.each<[string, Partial<UnverifiedPartial>, string]>([
  ["another attempt", { key: { ...key, attempt: 2 } }, "stale-partial"],
  ["another session's round", { key: { ...key, round: 3 } }, "stale-partial"],
  ["an older lease", { leaseEpoch: 3 }, "stale-lease"],
  ["another federation", { federationId: "b".repeat(52) }, "wrong-federation"],
  ["another combiner's name", { combiner: "south" }, "wrong-combiner"],
  ["another grid", { gridExponent: 30 }, "wrong-grid"],
  ["a weight sum that is not the headers'", { weightSum: 7 }, "wrong-weight-sum"],
  ["nobody", { headers: [], weightSum: 0 }, "partial-empty"],
  ["a member twice", { headers: [anna, anna], weightSum: 6 }, "headers-not-sorted"],
  ["members out of order", { headers: [bert, anna] }, "headers-not-sorted"],
  ["a folded member left out", { headers: [anna], weightSum: 3 }, "partial-misses-folded"],
  [
    "a member leased elsewhere",
    { headers: [anna, bert, header("carl", {}, "bert")], weightSum: 9 },
    "not-leased",
  ],
  [
    "a header of another round",
    { headers: [anna, header("bert", { key: { ...key, round: 1 } })] },
    "wrong-round",
  ],
  [
    "a header of another federation",
    { headers: [anna, header("bert", { federationId: "c" })] },
    "wrong-federation",
  ],
  [
    "another base model",
    { headers: [anna, header("bert", { baseModelHash: digestOf(utf8("x")) })] },
    "wrong-base",
  ],
  ["another size", { headers: [anna, header("bert", { sizeBytes: 99 })] }, "wrong-size"],
  [
    "a weight over the cap",
    { headers: [anna, header("bert", { exampleCount: 11 })], weightSum: 14 },
    "weight-out-of-range",
  ],
  [
    "a weight of zero",
    { headers: [anna, header("bert", { exampleCount: 0 })], weightSum: 3 },
    "weight-out-of-range",
  ],
  [
    "a header signed by another member",
    { headers: [anna, header("bert", {}, "anna")] },
    "bad-signature",
  ],
  [
    "a changed header",
    { headers: [anna, { ...bert, signed: { ...bert.signed, bytes: utf8("other") } }] },
    "bad-signature",
  ],
  ["a cut signature", { headers: [anna, { ...bert, signed: cut(bert.signed) }] }, "bad-signature"],
])("refuses %s", (_what, deviation, code) => {
  const result = admitPartial({ ...good, ...deviation }, expected);
  const codes = "refusals" in result ? result.refusals.map((reason) => reason.code) : [];
  expect(codes).toContain(code);
});

test("refuses a partial before the round is closing", () => {
  const round = { ...mergingRound(), status: "training" as const };
  const result = admitPartial(good, { ...expected, round });
  expect(result).toMatchObject({ refusals: [{ code: "round-not-merging" }] });
});

test("a member whose key the reducer no longer knows is refused", () => {
  const publicKeyOf = (member: Name) =>
    member === "bert" ? undefined : keys.get(member)?.publicKeyDer;
  expect(admitPartial(good, { ...expected, publicKeyOf })).toMatchObject({
    refusals: [{ code: "bad-signature" }],
  });
});
