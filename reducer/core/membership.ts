/** Who may be a member: what the statement proves, held against the members there are. */
import type { Name } from "../../lib/base/ids.ts";
import { MAX_MEMBERS } from "../../lib/base/limits.ts";
import { type Refusal, refusal } from "../../lib/base/refusal.ts";
import type { AdmittedMember } from "../../lib/provisioning/join.ts";
import { type FederationState, type MemberRecord, memberKey } from "./state.ts";

/** The member with its current key, as the ledger knows it. */
export function currentMember(
  state: FederationState,
  peer: {
    readonly role: AdmittedMember["role"] | "reducer";
    readonly member: Name;
    readonly spkiDigest: string;
  },
): MemberRecord | undefined {
  const record = state.members.get(memberKey(peer.role, peer.member));
  return record?.spkiDigest === peer.spkiDigest ? record : undefined;
}

/**
 * Reasons why an admitted statement still makes no member. A name belongs to the organization that first used it: it
 * may give it a new key (the former one is then refused here), another organization may not take it.
 */
export function appraiseMembership(
  state: FederationState,
  admitted: AdmittedMember,
): readonly Refusal[] {
  const record = state.members.get(memberKey(admitted.role, admitted.member));
  if (record === undefined && state.members.size >= MAX_MEMBERS) {
    return [refusal("federation-full", state.members.size, `fewer than ${MAX_MEMBERS} members`)];
  }
  if (record !== undefined && record.organization !== admitted.organization) {
    return [refusal("name-taken", admitted.member, "a name that no other organization uses")];
  }
  return [];
}
