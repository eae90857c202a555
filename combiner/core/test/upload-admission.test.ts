import { expect, test } from "vitest";
import { utf8 } from "../../../lib/base/bytes.ts";
import { digestOf } from "../../../lib/base/ids.ts";
import {
  goodUpdate,
  Harness,
  keyOf,
  members,
  modelHash,
  name,
  openOrder,
  roundKey,
  sessionId,
  UPDATE_BYTES,
} from "../testing/harness.ts";
import { isTransient, type UnverifiedUpdate } from "../upload-admission.ts";

const [alice, bob, carol, dave] = members(4) as [never, never, never, never];
const key = roundKey(3, 2);

/** A round of three in which the second has folded. */
function openRound(): Harness {
  const harness = new Harness();
  harness.attend(alice, bob, carol);
  harness.open(key, [alice, bob, carol]);
  expect(harness.upload(bob, goodUpdate(bob, key))).toEqual([]);
  return harness;
}

const good = goodUpdate(alice, key);
const flipped = good.signed.signature.map((byte, i) => (i === 40 ? byte ^ 1 : byte));

test("a good update is admitted and folded", () => {
  const harness = openRound();
  expect(harness.upload(alice, good)).toEqual([]);
  expect(harness.summed(key)).toEqual([alice, bob]);
});

test.each<[string, never, UnverifiedUpdate, string[]]>([
  ["of an earlier attempt", alice, goodUpdate(alice, roundKey(3, 1)), ["stale-round"]],
  ["of an earlier round", alice, goodUpdate(alice, roundKey(2, 9)), ["stale-round"]],
  ["of a later round", alice, goodUpdate(alice, roundKey(4)), ["round-not-open"]],
  [
    "of an unknown session",
    alice,
    goodUpdate(alice, roundKey(3, 2, sessionId(9))),
    ["round-not-open"],
  ],
  ["sent a second time", bob, goodUpdate(bob, key), ["duplicate-update"]],
  ["of a member without a lease", dave, goodUpdate(dave, key), ["not-leased"]],
  ["in another member's name", alice, goodUpdate(alice, key, { member: carol }), ["wrong-member"]],
  [
    "of another member, signed by that member",
    alice,
    goodUpdate(carol, key),
    ["wrong-member", "bad-signature"],
  ],
  [
    "signed by another key",
    alice,
    goodUpdate(alice, key, {}, keyOf(name("mallory"))),
    ["bad-signature"],
  ],
  [
    "with a bit of its signature flipped",
    alice,
    { ...good, signed: { ...good.signed, signature: flipped } },
    ["bad-signature"],
  ],
  [
    "with a short signature",
    alice,
    { ...good, signed: { ...good.signed, signature: new Uint8Array(63) } },
    ["bad-signature"],
  ],
  [
    "whose signed bytes were changed",
    alice,
    { ...good, signed: { ...good.signed, bytes: utf8("other") } },
    ["bad-signature"],
  ],
  [
    "of another federation",
    alice,
    goodUpdate(alice, key, { federationId: `${"b".repeat(51)}q` }),
    ["wrong-federation"],
  ],
  [
    "against another base model",
    alice,
    goodUpdate(alice, key, { baseModelHash: modelHash("other") }),
    ["wrong-base"],
  ],
  ["one byte too large", alice, sized(UPDATE_BYTES + 1), ["wrong-size"]],
  ["one byte too small", alice, sized(UPDATE_BYTES - 1), ["wrong-size"]],
  [
    "whose upload says another size than its header",
    alice,
    { ...good, sizeBytes: UPDATE_BYTES - 1 },
    ["wrong-size"],
  ],
  [
    "whose upload says another digest than its header",
    alice,
    { ...good, digest: digestOf(utf8("other")) },
    ["digest-mismatch"],
  ],
  ["over no examples", alice, goodUpdate(alice, key, { exampleCount: 0 }), ["weight-out-of-range"]],
  [
    "over one example more than the cap",
    alice,
    goodUpdate(alice, key, { exampleCount: 1001 }),
    ["weight-out-of-range"],
  ],
  [
    "over half an example",
    alice,
    goodUpdate(alice, key, { exampleCount: 1.5 }),
    ["weight-out-of-range"],
  ],
  [
    "wrong in every way, with every reason",
    dave,
    goodUpdate(dave, key, {
      federationId: "x",
      member: "y",
      baseModelHash: modelHash("other"),
      updateDigest: digestOf(utf8("other")),
      sizeBytes: 1,
      exampleCount: 0,
    }),
    [
      "wrong-federation",
      "wrong-member",
      "not-leased",
      "digest-mismatch",
      "wrong-size",
      "wrong-base",
      "weight-out-of-range",
      "wrong-size",
    ],
  ],
])("an update %s is refused by its code and changes no sum", (_, member, update, codes) => {
  const harness = openRound();
  const before = harness.state;
  expect(harness.upload(member, update)).toEqual(codes);
  expect(harness.state).toBe(before);
  expect(harness.summed(key)).toEqual([bob]);
});

test("an update for a closed round is refused", () => {
  const harness = openRound();
  harness.order({ kind: "close-round", key, leaseEpoch: 1 });
  expect(harness.upload(alice, good)).toEqual(["round-not-open"]);
});

test("an update is refused while its base model is not here", () => {
  const harness = new Harness();
  harness.order(openOrder(key, [alice]));
  expect(harness.upload(alice, good)).toEqual(["round-not-open"]);
});

test("a member whose update was refused for good sends no further one in this attempt", () => {
  const harness = openRound();
  const refusals = [{ code: "non-finite", seen: "tensor w", wanted: "finite elements" }];
  harness.input({ kind: "upload-failed", member: alice, key, refusals });
  expect(harness.upload(alice, good)).toEqual(["member-gave-up"]);
});

test("a round that changes while a body is on its way refuses it", () => {
  const harness = openRound();
  const update = { member: alice, key, sizeBytes: 1, exampleCount: 1, signed: good.signed };
  harness.order(openOrder(key, [bob, carol], 2));
  harness.input({ kind: "update-staged", uploadId: 77, update });
  expect(harness.refused).toContainEqual({ uploadId: 77, codes: ["not-leased"] });
  harness.order({ kind: "abort-round", key, reason: { code: "x", seen: "", wanted: "" } });
  harness.input({ kind: "update-staged", uploadId: 78, update });
  expect(harness.refused).toContainEqual({ uploadId: 78, codes: ["round-not-open"] });
});

test("only refusals that say nothing against the update itself let it be sent again", () => {
  const codes = ["busy", "too-slow", "truncated", "digest-mismatch", "not-leased", "non-finite"];
  const again = codes.filter((code) => isTransient([{ code, seen: "", wanted: "" }]));
  expect(again).toEqual(["busy", "too-slow", "truncated", "digest-mismatch", "not-leased"]);
  expect(isTransient(["busy", "wrong-base"].map((code) => ({ code, seen: "", wanted: "" })))).toBe(
    false,
  );
});

function sized(sizeBytes: number): UnverifiedUpdate {
  return { ...goodUpdate(alice, key, { sizeBytes }), sizeBytes };
}
