import { toHex } from "../../base/bytes.ts";
import { type Refusal, refusal } from "../../base/refusal.ts";
import type { SnpMeasurements } from "../evidence/snp-report.ts";
import type { SnpClaims } from "../verification/claims.ts";
import { isAnything } from "./anything.ts";
import type { AppraisalCode, WarningCode } from "./codes.ts";
import type { SnpIdentity, SnpMeasurement, SnpPlatformId } from "./identity.ts";
import { bitRefusals, numberBytes, SNP_POLICY_HAZARDS } from "./masked-bits.ts";
import { appraiseSnpTcb, type TcbVerdict } from "./tcb-policy.ts";
import { atLeast, exactly } from "./wanted-values.ts";

/** Every reason why an SNP guest is not this identity, its anchor aside. */
export function appraiseSnp(claims: SnpClaims, wanted: SnpIdentity): TcbVerdict {
  const { measurements: seen, platform } = claims;
  const policy = numberBytes(seen.policy, 8);
  const info = numberBytes(platform.platformInfo, 8);
  const refusals = [
    ...appraiseMeasurement(seen, wanted.measurement),
    ...bitRefusals("guest-policy-mismatch", policy, wanted.guestPolicy, SNP_POLICY_HAZARDS),
    ...bitRefusals("platform-info-mismatch", info, wanted.platformInfo),
    ...appraiseCircumstances(claims, wanted),
    ...appraiseSnpTcb(platform, wanted.tcb),
  ];
  return { refusals, warnings: revocationWarnings(claims) };
}

/** Without a list, a revoked intermediate certificate would not have been noticed. */
export const revocationWarnings = ({ platform }: SnpClaims): Refusal<WarningCode>[] =>
  platform.revocationChecked
    ? []
    : [refusal("revocation-unknown", "no revocation list", "a list by the ARK")];

function appraiseMeasurement(
  seen: SnpMeasurements,
  wanted: SnpMeasurement,
): Refusal<AppraisalCode>[] {
  return [
    ...exactly("measurement-mismatch", seen.measurement, wanted.launch),
    ...exactly("host-data-mismatch", seen.hostData, wanted.hostData),
    ...exactly("id-key-digest-mismatch", seen.idKeyDigest, wanted.idKeyDigest),
    ...exactly("author-key-digest-mismatch", seen.authorKeyDigest, wanted.authorKeyDigest),
    ...exactly("family-id-mismatch", seen.familyId, wanted.familyId),
    ...exactly("image-id-mismatch", seen.imageId, wanted.imageId),
    ...atLeast("guest-svn-too-low", seen.guestSvn, wanted.minGuestSvn),
  ];
}

/** Who asked for the report, who signed it, and on which chip. */
function appraiseCircumstances(
  { measurements, platform }: SnpClaims,
  wanted: SnpIdentity,
): Refusal<AppraisalCode>[] {
  const refusals: Refusal<AppraisalCode>[] = [];
  if (!wanted.vmpls.includes(measurements.vmpl)) {
    refusals.push(refusal("vmpl-not-listed", measurements.vmpl, wanted.vmpls.join(" ")));
  }
  if (!wanted.signingKeys.includes(platform.signingKey)) {
    const listed = wanted.signingKeys.join(" or ");
    refusals.push(refusal("signing-key-not-listed", platform.signingKey, listed));
  }
  if (!isAnything(wanted.revocation) && !platform.revocationChecked) {
    refusals.push(refusal("revocation-not-checked", "no revocation list", "a list by the ARK"));
  }
  // A masked chip id, or one under a VLEK, is zero: it names no chip, even to a list that has zeros on it.
  const chip = toHex(platform.chipId);
  const isNamed = platform.chipId.some((byte) => byte !== 0);
  const isListed = ({ id }: SnpPlatformId): boolean => isNamed && id === chip;
  if (!isAnything(wanted.platforms) && !wanted.platforms.some(isListed)) {
    const count = `one of ${wanted.platforms.length} listed`;
    refusals.push(refusal("platform-not-listed", `chip ${chip}`, count));
  }
  return refusals;
}
