import { expect, test } from "vitest";
import { digestBytes, type UnixMs } from "../../../lib/base/ids.ts";
import { RefusedError } from "../../../lib/base/refusal.ts";
import { fedclave } from "../../../proto/generated/fedclave.js";
import { parseOrder } from "../order-wire.ts";
import { openRoundOrder } from "../testing/fake-reducer.ts";
import { modelBytes, updateBytes } from "../testing/model.ts";
import { KEY, name } from "../testing/world.ts";
import { parseUpdate } from "../update-wire.ts";

const NOW = 1000 as UnixMs;
const { ReducerOrder, UpdateHeader } = fedclave.v1;
type Order = fedclave.v1.ReducerOrder.$Properties;
type OpenRound = fedclave.v1.OpenRound.$Properties;

const digest = new Uint8Array(32).fill(7);
const good = openRoundOrder({
  key: KEY,
  members: ["a", "b"].map(name),
  baseModelHash: updateBytes(1).digest,
  modelSizeBytes: modelBytes(1).byteLength,
}) as Order;
const goodRound: OpenRound = good.openRound!;

const overTheWire = (order: Order) => ReducerOrder.decode(ReducerOrder.encode(order).finish());
const parse = (order: Order) => parseOrder(overTheWire(order), NOW);
const open = (changes: Partial<OpenRound>): Order => ({
  kind: "openRound",
  openRound: { ...goodRound, ...changes },
});
const limits = (changes: object) => open({ limits: { ...goodRound.limits, ...changes } });

test("an order to open a round carries everything a task needs", () => {
  expect(parse(good)).toMatchObject({
    kind: "open-round",
    key: KEY,
    leaseEpoch: 1,
    members: ["a", "b"],
    terms: {
      deadlineMs: NOW + 3_600_000,
      limits: { elementBound: 8, weightCap: 1000, gridExponent: 29 },
      proximalMu: 0.25,
      hyperparameters: [{ name: "lr", value: 0.5 }],
    },
  });
});

test.each<[string, Order, string]>([
  ["without a kind", {}, "unexpected-message"],
  ["that opens no round", open({ roundKey: {} }), "malformed-round-key"],
  ["for attempt 0", open({ roundKey: { ...KEY, attempt: 0 } }), "malformed-round-key"],
  [
    "for a session id of 25 characters",
    open({ roundKey: { ...KEY, sessionId: "a".repeat(25) } }),
    "malformed-round-key",
  ],
  ["of lease epoch 0", open({ leaseEpoch: 0 }), "malformed-number"],
  ["with a member that is no name", open({ members: ["A"] }), "malformed-name"],
  ["on a digest of 31 bytes", open({ baseModelHash: new Uint8Array(31) }), "malformed-digest"],
  ["without a package", open({ packageDigest: new Uint8Array() }), "malformed-digest"],
  ["without a seed", open({ sessionSeed: new Uint8Array() }), "malformed-digest"],
  ["of a model without bytes", open({ modelSizeBytes: 0 }), "malformed-number"],
  ["of a model past every limit", open({ modelSizeBytes: 2 ** 40 }), "malformed-number"],
  ["without limits", open({ limits: {} }), "malformed-number"],
  ["with an element bound of 0", limits({ elementBound: 0 }), "malformed-number"],
  ["with an infinite element bound", limits({ elementBound: Infinity }), "malformed-number"],
  ["with a norm bound that is NaN", limits({ normBound: Number.NaN }), "malformed-number"],
  ["with a weight cap of 0", limits({ weightCap: 0 }), "malformed-number"],
  ["with a negative mu", open({ proximalMu: -1 }), "malformed-number"],
  ["to close nothing", { kind: "closeRound", closeRound: {} }, "malformed-round-key"],
  ["to abort nothing", { kind: "abortRound", abortRound: {} }, "malformed-round-key"],
  [
    "about a commit of nothing",
    { kind: "commitNotice", commitNotice: { roundKey: KEY } },
    "malformed-digest",
  ],
  [
    "to validate for round 0",
    { kind: "validateModel", validateModel: { sessionId: KEY.sessionId, modelHash: digest } },
    "malformed-round-key",
  ],
  ["to release nobody", { kind: "releaseClient", releaseClient: {} }, "malformed-name"],
  ["of another version", { kind: "attached", attached: { version: 2 } }, "unknown-version"],
])("an order %s is refused", (_, order, code) => {
  expect(() => parse(order)).toThrow(
    expect.toSatisfy((error) => error instanceof RefusedError && error.refusals[0]?.code === code),
  );
});

const update = updateBytes(1);
const header = UpdateHeader.encode({
  version: 1,
  federationId: "f",
  roundKey: KEY,
  member: "a",
  baseModelHash: digest,
  updateDigest: digestBytes(update.digest),
  sizeBytes: 5,
  exampleCount: 6,
}).finish();
const offer = (bytes: Uint8Array, signature = new Uint8Array(64)) => ({
  header: { update: { header: bytes, signature }, subject: "update" } as never,
  sizeBytes: 5,
  digest: update.digest,
});

test("a header keeps the exact bytes that were signed", () => {
  const parsed = parseUpdate(offer(header));
  expect(parsed.signed.bytes).toEqual(Uint8Array.from(header));
  expect(parsed.header).toMatchObject({ key: KEY, member: "a", sizeBytes: 5, exampleCount: 6 });
});

test("a header cut at any byte is refused, never misread", () => {
  for (let length = 0; length < header.byteLength; length += 1) {
    let parsed: ReturnType<typeof parseUpdate> | undefined;
    try {
      parsed = parseUpdate(offer(header.slice(0, length)));
    } catch (error) {
      expect(error).toBeInstanceOf(RefusedError);
    }
    // Cut between two fields it is a message without the last ones, which then have no value.
    if (parsed !== undefined) expect(parsed.header.exampleCount * parsed.header.sizeBytes).toBe(0);
  }
});

test("a header with any bit flipped is refused or says something else, and nothing throws otherwise", () => {
  for (let bit = 0; bit < header.byteLength * 8; bit += 1) {
    const flipped = header.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    try {
      expect(parseUpdate(offer(flipped)).signed.bytes).not.toEqual(Uint8Array.from(header));
    } catch (error) {
      expect(error).toBeInstanceOf(RefusedError);
    }
  }
});

test("the largest header is read, one byte more is refused", () => {
  const padded = (length: number) => {
    // The member's own length takes a second byte.
    const member = "x".repeat(length - header.byteLength);
    return UpdateHeader.encode({ ...UpdateHeader.decode(header), member }).finish();
  };
  expect(padded(1024).byteLength).toBe(1024);
  expect(parseUpdate(offer(padded(1024))).header.member).toContain("xxx");
  expect(() => parseUpdate(offer(padded(1025)))).toThrow("malformed-update-header");
  expect(() => parseUpdate(offer(header, new Uint8Array(65)))).toThrow("malformed-update-header");
});
