import fc from "fast-check";
import { expect, test } from "vitest";
import { utf8 } from "../../base/bytes.ts";
import { canonicalJson, type Json } from "../../base/canonical-json.ts";
import type { Name, Role } from "../../base/ids.ts";
import { generateSigningKey, type SigningKey } from "../../base/keys.ts";
import { signDocument } from "../../base/signed-document.ts";
import { generateAuthorityKey } from "../authority.ts";
import { appraiseJoin, type JoinRules } from "../join.ts";
import {
  createStatement,
  MAX_STATEMENT_BYTES,
  type MemberStatement,
  parseStatement,
  STATEMENT_TYPE,
} from "../statement.ts";
import { TEST_FEDERATION_ID } from "../testing/test-authority.ts";

const organization = generateSigningKey();
const admin = generateSigningKey();
const member = generateSigningKey();
const stranger = generateSigningKey();

const rules: JoinRules = {
  federationId: TEST_FEDERATION_ID,
  epoch: 3,
  issuers: [
    issuer("hospital-a", organization, ["client"]),
    issuer("alice", admin, ["admin"]),
    // No manifest says this; the appraisal must not depend on that.
    issuer("careless", stranger, ["reducer", "client", "combiner"]),
  ],
};
const good: MemberStatement = {
  federationId: TEST_FEDERATION_ID,
  member: "ward-1" as Name,
  role: "client",
  organization: "hospital-a" as Name,
  spkiDigest: member.spkiDigest,
  expiryEpoch: 3,
};

test("a statement by its organization admits its member in the last epoch that it names", () => {
  const statement = createStatement(good, organization);
  expect(appraiseJoin(statement, member.publicKeyDer, rules)).toEqual({
    kind: "admitted",
    member: "ward-1",
    role: "client",
    organization: "hospital-a",
    spkiDigest: member.spkiDigest,
    expiryEpoch: 3,
  });
});

test("an admin key admits admins", () => {
  const statement = createStatement(
    { ...good, role: "admin", organization: "alice" as Name },
    admin,
  );
  const appraisal = appraiseJoin(statement, member.publicKeyDer, rules);
  expect(appraisal).toMatchObject({ kind: "admitted", role: "admin", organization: "alice" });
});

const other = `${"b".repeat(51)}a`;
test.each<[string, { [field: string]: Json }, SigningKey, string[]]>([
  ["another federation's", { federationId: other }, organization, ["wrong-federation"]],
  ["an unknown organization's", { organization: "nobody" }, organization, ["unknown-organization"]],
  ["one signed by another organization", {}, stranger, ["bad-signature"]],
  ["one signed by the member itself", {}, member, ["bad-signature"]],
  ["one for another key", { spkiDigest: stranger.spkiDigest }, organization, ["wrong-key"]],
  ["one for a key that is no digest", { spkiDigest: "" }, organization, ["wrong-key"]],
  ["one of an earlier epoch", { expiryEpoch: 2 }, organization, ["statement-expired"]],
  ["one with a role not permitted", { role: "combiner" }, organization, ["role-not-permitted"]],
  ["an admin by an organization", { role: "admin" }, organization, ["role-not-permitted"]],
  ["a client by an admin", { organization: "alice" }, admin, ["role-not-permitted"]],
  ["an unknown role", { role: "auditor" }, organization, ["role-not-permitted"]],
  ["a reducer", { role: "reducer", organization: "careless" }, stranger, ["role-not-permitted"]],
  ["a malformed name", { member: "Ward 1" }, organization, ["bad-member-name"]],
  [
    "everything wrong at once",
    {
      federationId: other,
      role: "reducer",
      member: "",
      spkiDigest: organization.spkiDigest,
      expiryEpoch: 1,
    },
    stranger,
    [
      "bad-signature",
      "role-not-permitted",
      "wrong-key",
      "wrong-federation",
      "bad-member-name",
      "statement-expired",
    ],
  ],
])("refuses %s with every reason", (_what, deviation, key, codes) => {
  expect(refusalCodes(signed({ ...payload(), ...deviation }, key))).toEqual(codes);
});

const type = STATEMENT_TYPE;
test.each<[string, Uint8Array]>([
  ["nothing", new Uint8Array()],
  ["an envelope of another type", signDocument("text/plain", utf8("{}"), [organization])],
  ["a payload that is no JSON", signDocument(type, utf8("x"), [organization])],
  ["a payload that is not canonical", signDocument(type, utf8(" {}"), [organization])],
  ["a field too many", signed({ ...payload(), note: "" })],
  ["a field missing", signed({ ...payload(), role: undefined })],
  ["another kind", signed({ ...payload(), kind: "fedclave/manifest" })],
  ["a later version", signed({ ...payload(), version: 2 })],
  ["epoch 0", signed({ ...payload(), expiryEpoch: 0 })],
  ["half an epoch", signed({ ...payload(), expiryEpoch: 3.5 })],
  ["a number as name", signed({ ...payload(), member: 7 })],
  ["more than 16 KiB", signed({ ...payload(), member: "a".repeat(MAX_STATEMENT_BYTES) })],
])("refuses %s as malformed", (_what, statement) => {
  expect(refusalCodes(statement)).toEqual(["malformed-statement"]);
});

test("refuses a P-384 key as another kind of key", () => {
  const { publicKeyDer } = generateAuthorityKey();
  expect(refusalCodes(createStatement(good, organization), publicKeyDer)).toEqual(["wrong-curve"]);
});

test("a statement cut at any byte, or with one after it, is malformed", () => {
  const statement = createStatement(good, organization);
  for (let length = 0; length < statement.byteLength; length += 1) {
    expect(refusalCodes(statement.subarray(0, length))).toEqual(["malformed-statement"]);
  }
  for (const byte of [0, 10, 32]) {
    expect(refusalCodes(Uint8Array.of(...statement, byte))).toEqual(["malformed-statement"]);
  }
});

test("no flipped bit leaves a statement admitted", () => {
  const statement = createStatement(good, organization);
  for (let index = 0; index < statement.byteLength; index += 1) {
    const bad = statement.slice();
    bad[index]! ^= 1 << (index % 8);
    expect(refusalCodes(bad)).not.toEqual([]);
  }
});

test("random bytes are refused and never throw", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 100 }),
      (bytes, key) => {
        expect(appraiseJoin(bytes, key, rules).kind).toBe("refused");
      },
    ),
  );
});

test("what a statement claims can be read without its organization's key", () => {
  const { statement } = parseStatement(createStatement(good, organization));
  expect(statement).toMatchObject(good);
});

function payload(): { [field: string]: Json | undefined } {
  return { kind: "fedclave/member-statement", version: 1, ...good };
}

function signed(fields: { [field: string]: Json | undefined }, key = organization): Uint8Array {
  return signDocument(STATEMENT_TYPE, utf8(canonicalJson(fields)), [key]);
}

function refusalCodes(statement: Uint8Array, key = member.publicKeyDer): string[] {
  const appraisal = appraiseJoin(statement, key, rules);
  return appraisal.kind === "admitted" ? [] : appraisal.refusals.map((each) => each.code);
}

function issuer(name: string, { publicKeyDer }: SigningKey, mayEnrol: readonly Role[]) {
  return { name: name as Name, publicKeyDer, mayEnrol };
}
