import { expect, test } from "vitest";
import { utf8 } from "../../../lib/base/bytes.ts";
import type { SessionId, UnixMs } from "../../../lib/base/ids.ts";
import { decodeEvent, encodeEvent, type LedgerEvent } from "../events.ts";

const event: LedgerEvent = {
  kind: "round-failed",
  sessionId: "a".repeat(26) as SessionId,
  round: 2,
  attempt: 3,
  reasons: [{ code: "quorum-not-met", seen: "1", wanted: "2" }],
  atMs: 5 as UnixMs,
};

test("an event comes back as it was recorded, and its bytes name kind and version", () => {
  const bytes = encodeEvent(event);
  expect(decodeEvent(bytes)).toEqual(event);
  expect(JSON.parse(Buffer.from(bytes).toString("utf8"))).toMatchObject({
    kind: "round-failed",
    version: 1,
  });
});

test.each([
  ["of a later version", '{"kind":"round-failed","version":2}', "unknown-event"],
  ["of an unknown kind", '{"kind":"round-forgotten","version":1}', "unknown-event"],
  ["without a kind", "{}", "unknown-event"],
  ["that is null", "null", "malformed-event"],
  ["that is a list", "[]", "unknown-event"],
  ["that is no JSON", "{", "malformed-event"],
  ["that is not canonical", '{"version":1,"kind":"round-failed"}', "malformed-event"],
])("an event %s is refused", (_, text, code) => {
  expect(() => decodeEvent(utf8(text))).toThrow(expect.objectContaining({ code }));
});

test("an event cut at any byte is refused", () => {
  const bytes = encodeEvent(event);
  for (let length = 0; length < bytes.byteLength; length += 1) {
    expect(() => decodeEvent(bytes.subarray(0, length))).toThrow(
      expect.objectContaining({ code: "malformed-event" }),
    );
  }
});
