/**
 * What is refused of genuine evidence when nobody said what is wanted: the settings that undo what an enclave promises.
 * Which code runs, and whether its platform is up to date, is not judged here.
 */
import { toHex } from "../../base/bytes.ts";
import { type Refusal, refusal } from "../../base/refusal.ts";
import type { SnpClaims, TdxClaims, VerifiedClaims } from "../verification/claims.ts";
import { revocationWarnings } from "./appraise-snp.ts";
import type { DefaultRefusalCode, HazardCode, WarningCode } from "./codes.ts";
import {
  type Hazard,
  hazardsIn,
  numberBytes,
  SGX_ATTRIBUTE_HAZARDS,
  SNP_POLICY_HAZARDS,
  TD_ATTRIBUTE_HAZARDS,
} from "./masked-bits.ts";
import { tcbWarnings } from "./tcb-policy.ts";

const WANTED: Readonly<Record<HazardCode, string>> = {
  "debug-enclave": "an enclave that the host cannot look into",
  "provision-key": "an enclave without access to provisioning keys",
  "einittoken-key": "an enclave without access to launch keys",
  "migration-agent": "a guest that no migration agent can carry off",
};
/** Past it nobody in the guest asked for the report: the host did, and chose its report data. */
const MAX_GUEST_VMPL = 3;
/** Bit 28 of TD ATTRIBUTES: the host cannot make the guest's memory vanish under it. */
const SEPT_VE_DISABLE = { byte: 3, bits: 0x10 } as const;

/**
 * Refuses debugging, SGX's provisioning and launch keys, a bound service TD, SNP migration agents, and SNP reports that
 * the host asked for.
 * @param unexpectedClaims  names of RA-TLS claims besides `pubkey-hash` and `nonce`: bound, but by nobody understood
 */
export function defaultRefusals(
  claims: VerifiedClaims,
  unexpectedClaims: readonly string[] = [],
): Refusal<DefaultRefusalCode>[] {
  const [bits, hazards] = hazardousBits(claims);
  const found = new Set(hazardsIn(bits, hazards));
  if (claims.isDebug) found.add("debug-enclave");
  const refusals: Refusal<DefaultRefusalCode>[] = [...found].map((code) =>
    refusal(code, toHex(bits), WANTED[code]),
  );
  const serviceTd = claims.tee === "tdx" ? claims.measurements.mrServiceTd : undefined;
  if (serviceTd?.some((byte) => byte !== 0)) {
    refusals.push(refusal("service-td-bound", toHex(serviceTd), "no service TD, MRSERVICETD zero"));
  }
  if (claims.tee === "sev-snp" && claims.measurements.vmpl > MAX_GUEST_VMPL) {
    const seen = `VMPL ${claims.measurements.vmpl}`;
    refusals.push(
      refusal("report-by-host", seen, `0 to ${MAX_GUEST_VMPL}, the guest's own levels`),
    );
  }
  for (const name of unexpectedClaims) {
    refusals.push(refusal("unexpected-claim", name, "pubkey-hash, and a nonce at most"));
  }
  return refusals;
}

/** What the default policy lets pass and a person should know. */
export function defaultWarnings(claims: VerifiedClaims): Refusal<WarningCode>[] {
  if (claims.tee === "sev-snp") return snpWarnings(claims);
  const warnings = tcbWarnings(claims.tcb);
  const { tcbInfoVersion } = claims.tcb;
  if (tcbInfoVersion < 3) {
    const seen = `TCB info version ${tcbInfoVersion}`;
    warnings.push(refusal("advisories-not-listed", seen, "version 3, which lists advisories"));
  }
  return claims.tee === "tdx" ? [...warnings, ...tdxWarnings(claims)] : warnings;
}

function hazardousBits(claims: VerifiedClaims): readonly [Uint8Array, readonly Hazard[]] {
  switch (claims.tee) {
    case "sgx":
      return [claims.measurements.attributes, SGX_ATTRIBUTE_HAZARDS];
    case "tdx":
      return [claims.measurements.tdAttributes, TD_ATTRIBUTE_HAZARDS];
    case "sev-snp":
      return [numberBytes(claims.measurements.policy, 8), SNP_POLICY_HAZARDS];
  }
}

function tdxWarnings({ measurements }: TdxClaims): Refusal<WarningCode>[] {
  const { tdAttributes } = measurements;
  const byte = tdAttributes[SEPT_VE_DISABLE.byte] ?? 0;
  if ((byte & SEPT_VE_DISABLE.bits) !== 0) return [];
  return [refusal("sept-ve-enabled", toHex(tdAttributes), "SEPT_VE_DISABLE, bit 28, set")];
}

function snpWarnings(claims: SnpClaims): Refusal<WarningCode>[] {
  const { vmpl } = claims.measurements;
  const warnings = revocationWarnings(claims);
  return vmpl === 0 ? warnings : [refusal("vmpl-not-zero", vmpl, 0), ...warnings];
}
