import fc from "fast-check";
import { expect, test } from "vitest";
import * as z from "zod/mini";
import { fromBase64, toBase64 } from "../base64.ts";
import { utf8 } from "../bytes.ts";
import { readCertificate } from "../certificate.ts";
import { parseDocument, writeDocument } from "../document.ts";

const TYPE = { kind: "fedclave/example", version: 1, maxBytes: 100 };
const schema = z.strictObject({ kind: z.string(), version: z.number(), count: z.number() });
const good = { kind: "fedclave/example", version: 1, count: 2 };

test("a document that is written can be read", () => {
  expect(parseDocument(writeDocument(good), TYPE, schema)).toEqual(good);
});

test.each([
  ["a newer version, whatever its shape", { ...good, version: 2, more: {} }, "unsupported-version"],
  ["another kind", { ...good, kind: "fedclave/other" }, "wrong-kind"],
  ["no kind", { count: 2 }, "wrong-kind"],
  ["a list", [], "wrong-kind"],
  ["null", null, "wrong-kind"],
  ["a missing field", { ...good, count: undefined }, "bad-shape"],
  ["a field too many", { ...good, more: 1 }, "bad-shape"],
  ["a field of another type", { ...good, count: "2" }, "bad-shape"],
  ["more bytes than allowed", { ...good, more: "x".repeat(100) }, "too-large"],
])("refuses %s", (_what, value, code) => {
  expect(() => parseDocument(writeDocument(value), TYPE, schema)).toThrow(
    expect.objectContaining({ code }),
  );
});

test("a refused shape names the place and not the value", () => {
  const bytes = writeDocument({ ...good, count: "s3cret" });
  expect(() => parseDocument(bytes, TYPE, schema)).toThrow(/"count" \(invalid_type\)/);
  expect(() => parseDocument(bytes, TYPE, schema)).not.toThrow(/s3cret/);
});

test("schemas make no code from strings", () => {
  expect(z.config().jitless).toBe(true);
});

test("base64 round-trips and has one spelling", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(fromBase64(toBase64(bytes))).toEqual(bytes);
    }),
  );
  for (const bad of ["A", "AA", "AA=", "AB==", "AA==\n", " AA==", "-_==", "AA==AA==", "é"]) {
    expect(fromBase64(bad)).toBeUndefined();
  }
});

test("bytes that are not one certificate are unreadable", () => {
  for (const bad of [
    new Uint8Array(),
    utf8("-----BEGIN CERTIFICATE-----"),
    new Uint8Array(200_000),
  ]) {
    expect(() => readCertificate(bad)).toThrow(
      expect.objectContaining({ code: "unreadable-certificate" }),
    );
  }
});
