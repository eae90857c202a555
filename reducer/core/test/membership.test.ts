import { expect, test } from "vitest";
import { digestOf, type Name, type UnixMs } from "../../../lib/base/ids.ts";
import { MAX_MEMBERS } from "../../../lib/base/limits.ts";
import { appraiseMembership, currentMember } from "../membership.ts";
import { emptyState, type FederationState, type MemberRecord, memberKey } from "../state.ts";

const anna: MemberRecord = {
  member: "anna" as Name,
  role: "client",
  organization: "north" as Name,
  publicKey: "",
  spkiDigest: digestOf(new Uint8Array(1)),
  firstJoinedAtMs: 1 as UnixMs,
  certificateExpiresAtMs: 2 as UnixMs,
};
const { spkiDigest } = anna;
const admitted = {
  role: "client",
  member: anna.member,
  organization: anna.organization,
  spkiDigest,
} as const;

const stateOf = (members: FederationState["members"]): FederationState => ({
  ...emptyState,
  members,
});
const withAnna = stateOf(new Map([[memberKey("client", anna.member), anna]]));
/** As many as fit, anna not among them. */
const full = stateOf(
  new Map(Array.from({ length: MAX_MEMBERS }, (_, i) => [`${i}`, anna] as never)),
);

test.each([
  [
    "another organization's member",
    withAnna,
    { ...admitted, organization: "south" as Name },
    "name-taken",
  ],
  ["one member too many", full, admitted, "federation-full"],
])("%s is no member", (_, state, given, code) => {
  expect(appraiseMembership(state, { ...given, kind: "admitted" } as never)).toEqual([
    expect.objectContaining({ code }),
  ]);
});

test("a member joins again with another key, also where no further one fits", () => {
  const key = digestOf(new Uint8Array(2));
  const again = { ...admitted, kind: "admitted", spkiDigest: key } as never;
  expect(appraiseMembership(withAnna, again)).toEqual([]);
  const members = new Map([...full.members, [memberKey("client", anna.member), anna] as const]);
  expect(appraiseMembership(stateOf(members), again)).toEqual([]);
});

test("only the newest key of a name is a member's", () => {
  expect(currentMember(withAnna, admitted)).toBe(anna);
  expect(currentMember(withAnna, { ...admitted, spkiDigest: "00" })).toBeUndefined();
  expect(currentMember(withAnna, { ...admitted, role: "combiner" })).toBeUndefined();
});
