import { Metadata, status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { CodedError, RefusedError, refusal } from "../../base/refusal.ts";
import { failureOf, failureStatus, REFUSALS_TRAILER } from "../failure.ts";
import { MAX_TRAILER_BYTES } from "../limits.ts";
import { TRANSPORT_STATUSES } from "../status-table.ts";

class StoreError extends CodedError<"missing-object" | "disk-full"> {}

const statuses = { ...TRANSPORT_STATUSES, "missing-object": status.NOT_FOUND };

describe("the status of a failed call", () => {
  test.each([
    ["a refusal with a row", new RefusedError(refusal("busy", 9, 8)), status.RESOURCE_EXHAUSTED],
    [
      "a refusal without",
      new RefusedError(refusal("wrong-base", 1, 2)),
      status.FAILED_PRECONDITION,
    ],
    ["a coded error with a row", new StoreError("missing-object", "x"), status.NOT_FOUND],
    ["a coded error without", new StoreError("disk-full", "secret path"), status.INTERNAL],
    ["any other error", new Error("secret"), status.INTERNAL],
    ["a refusal without reasons", new RefusedError(), status.INTERNAL],
    ["something else", "secret", status.INTERNAL],
  ])("of %s", (_what, error, expected) => {
    const made = failureStatus(error, statuses);
    expect(made.status.code).toBe(expected);
    expect(made.internal).toBe(expected === status.INTERNAL);
    expect(JSON.stringify(made.status)).not.toContain("secret");
  });

  test("carries every refusal to the caller", () => {
    const refusals = [refusal("too-large", 5, 4), refusal("wrong-base", "a", "b")];
    const rebuilt = failureOf(failureStatus(new RefusedError(...refusals), {}).status, "a call");
    expect((rebuilt as RefusedError).refusals).toEqual(refusals);
  });

  test("stays within its bound, and is printable, whatever the reasons", () => {
    const long = { code: "x\n\ud800", seen: "é\u0000".repeat(10_000), wanted: "\ud800" };
    const made = failureStatus(new RefusedError(...Array(100).fill(long)), {}).status;
    const trailer = made.metadata.get(REFUSALS_TRAILER)[0] as Buffer;
    expect(trailer.byteLength).toBeLessThanOrEqual(MAX_TRAILER_BYTES);
    expect(made.details.length).toBeLessThanOrEqual(1024);
    expect(() => encodeURI(made.details)).not.toThrow();
    expect((failureOf(made, "a call") as RefusedError).refusals[0]?.code).toBe("unnamed");
  });
});

describe("the error of a failed call", () => {
  test.each([
    [status.UNAVAILABLE, "closed"],
    [status.CANCELLED, "closed"],
    [status.UNIMPLEMENTED, "failed"],
    [status.INTERNAL, "failed"],
    [99 as status, "failed"],
  ])("for status %i is %s", (code, expected) => {
    const error = failureOf(
      { code, details: "x\n", metadata: new Metadata() },
      "Members.List at h:1",
    );
    expect(error).toMatchObject({ name: "TransportError", code: expected });
    expect(error.message).toMatch(/^Members\.List at h:1: [^\n]+$/);
  });

  test.each([
    ["no message", Buffer.from([0xff, 0xff])],
    ["too long", Buffer.alloc(MAX_TRAILER_BYTES + 1)],
    ["empty", Buffer.alloc(0)],
  ])("ignores a trailer that is %s", (_what, trailer) => {
    const metadata = new Metadata();
    metadata.set(REFUSALS_TRAILER, trailer);
    const error = failureOf({ code: status.ABORTED, details: "", metadata }, "a call");
    expect(error).toMatchObject({ code: "failed" });
  });
});
