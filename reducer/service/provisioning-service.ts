/** Provisioning.Join: from a statement and a proven key to a certificate, recorded before it is handed out. */
import { toHex } from "../../lib/base/bytes.ts";
import type { Clock } from "../../lib/base/clock.ts";
import type { Log } from "../../lib/base/log.ts";
import { RefusedError, refusal } from "../../lib/base/refusal.ts";
import type { Authority } from "../../lib/provisioning/authority.ts";
import { appraiseJoin, type JoinRules } from "../../lib/provisioning/join.ts";
import type { Peer } from "../../lib/transport/peer.ts";
import type { RequestOf, ResponseOf } from "../../lib/transport/rpcs.ts";
import { appraiseMembership, currentMember } from "../core/membership.ts";
import type { Engine } from "./engine.ts";

/** A member that joins again and again with one key is recorded once in this time: it must not grow the ledger. */
const RECORDED_EVERY_MS = 3_600_000;

export type JoinParts = {
  readonly engine: Engine;
  readonly authority: Authority;
  readonly rules: JoinRules;
  readonly clock: Clock;
  readonly log: Log;
};

/** Serves Provisioning.Join. @throws RefusedError with every reason of appraiseJoin and of membership */
export async function join(
  parts: JoinParts,
  request: RequestOf<"Provisioning.Join">,
  peer: Peer,
): Promise<ResponseOf<"Provisioning.Join">> {
  const { engine, authority, rules, clock, log } = parts;
  if (request.version !== 1) throw new RefusedError(refusal("unknown-version", request.version, 1));
  const appraisal = appraiseJoin(request.statement, peer.publicKeyDer, rules);
  if (appraisal.kind === "refused") {
    const codes = appraisal.refusals.map(({ code }) => code);
    log.warn("member.refused", { remoteAddress: peer.remoteAddress, codes });
    throw new RefusedError(...appraisal.refusals);
  }
  const { member, role, organization, spkiDigest } = appraisal;
  const issued = await engine.decide(({ state }) => {
    const refusals = appraiseMembership(state, appraisal);
    if (refusals.length > 0) throw new RefusedError(...refusals);
    const untrustedNowMs = clock.untrustedNowMs();
    const { publicKeyDer } = peer;
    const result = authority.issueCertificate({ role, member, publicKeyDer, untrustedNowMs });
    const recorded = currentMember(state, { role, member, spkiDigest });
    const laterMs = result.notAfterMs - (recorded?.certificateExpiresAtMs ?? 0);
    if (laterMs < RECORDED_EVERY_MS) return { result };
    const event = {
      kind: "member-joined",
      member,
      role,
      organization,
      publicKey: toHex(publicKeyDer),
      spkiDigest,
      certificateExpiresAtMs: result.notAfterMs,
      atMs: untrustedNowMs,
    } as const;
    return { input: { kind: "record", event }, result };
  });
  log.info("member.joined", { member, memberRole: role, organization });
  return { certificateChain: [...issued.certificateChain], expiresAtMs: issued.notAfterMs };
}
