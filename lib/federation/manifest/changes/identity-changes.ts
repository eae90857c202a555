/** Which way every field of an enclave identity points. */

import type {
  DcapPlatformId,
  SgxIdentity,
  SgxMeasurement,
  SnpIdentity,
  SnpMeasurement,
  SnpPlatformId,
  TdxIdentity,
  TdxMeasurement,
} from "../../../attestation/appraisal/identity.ts";
import type {
  AcceptedStatus,
  DcapTcbPolicy,
  SnpTcbMinimum,
  SnpTcbPolicy,
} from "../../../attestation/appraisal/tcb-policy.ts";
import { vendorAnchorOf } from "../../../attestation/trust-anchors/vendor-anchors.ts";
import { fromBase64 } from "../../../base/base64.ts";
import { digestOf } from "../../../base/ids.ts";
import { admits, byKey, entries, fields, refuses, variants } from "./compare-groups.ts";
import { identifying, maskedBits, maximum, minimum, orAnything, wanted } from "./compare-values.ts";

const OTHER = "evidence is accepted that was refused before";

const exactly = (what: string) => orAnything<string>(what, wanted(OTHER));
const version = minimum("older versions are refused", "older versions are accepted");

/** A root certificate by the name people know it by, or by the digest of its DER. @param anchor  DER in base64 */
export function anchorText(anchor: string): string {
  const der = fromBase64(anchor) ?? new Uint8Array();
  return vendorAnchorOf(der)?.name ?? digestOf(der);
}

const anchor = wanted<string>("another root vouches for the evidence", anchorText);

const advisories = admits(
  "platforms with this flaw are accepted",
  "platforms with this flaw are refused",
);

const acceptedStatus = fields<AcceptedStatus>({
  status: identifying(),
  advisories: orAnything("the list of open advisories", entries(advisories)),
});

const dcapTcb = fields<DcapTcbPolicy>({
  accepted: byKey(
    ({ status }) => status,
    admits("platforms in this status are accepted", "platforms in this status are refused"),
    acceptedStatus,
  ),
  refusedAdvisories: entries(
    refuses("platforms with this flaw are refused", "platforms with this flaw may be accepted"),
  ),
  graceDays: maximum(
    "platforms must be updated sooner",
    "platforms may stay out of date for longer",
  ),
  minEvaluationNumber: minimum(
    "older documents of Intel count no more",
    "older documents of Intel count, which know of fewer flaws",
  ),
});

const PLATFORMS = admits("this platform is accepted", "this platform is refused");
const dcapPlatforms = orAnything("the platform", entries<DcapPlatformId>(PLATFORMS));

/** How each field of an SGX identity is compared, and what a change of it means. */
export const sgxChanges = fields<SgxIdentity>({
  kind: identifying(),
  name: identifying(),
  anchor,
  measurement: variants<SgxMeasurement>(wanted(OTHER), {
    mrenclave: fields({ kind: identifying(), mrEnclave: wanted(OTHER) }),
    mrsigner: fields({
      kind: identifying(),
      mrSigner: wanted(OTHER),
      isvProdId: wanted(OTHER),
      minIsvSvn: version,
    }),
  }),
  attributes: maskedBits,
  miscSelect: maskedBits,
  configId: exactly("the configuration"),
  minConfigSvn: version,
  isvExtProdId: exactly("the extended product id"),
  isvFamilyId: exactly("the family id"),
  tcb: dcapTcb,
  platforms: dcapPlatforms,
});

/** How each field of a TDX identity is compared, and what a change of it means. */
export const tdxChanges = fields<TdxIdentity>({
  kind: identifying(),
  name: identifying(),
  anchor,
  measurement: fields<TdxMeasurement>({
    mrTd: wanted(OTHER),
    rtmr0: exactly("the firmware's configuration"),
    rtmr1: exactly("the boot loader and kernel"),
    rtmr2: exactly("the operating system"),
    rtmr3: exactly("the application"),
    mrConfigId: exactly("the configuration"),
    mrOwner: exactly("the owner"),
    mrOwnerConfig: exactly("the owner's configuration"),
  }),
  mrSeam: exactly("the TDX module"),
  mrSignerSeam: exactly("the TDX module's signer"),
  mrServiceTd: exactly("the service TD"),
  tdAttributes: maskedBits,
  xfam: maskedBits,
  tcb: dcapTcb,
  platforms: dcapPlatforms,
});

const snpVersions = fields<SnpTcbMinimum>({
  fmc: version,
  bootloader: version,
  tee: version,
  snp: version,
  microcode: version,
});

/** How each field of an SEV-SNP identity is compared, and what a change of it means. */
export const snpChanges = fields<SnpIdentity>({
  kind: identifying(),
  name: identifying(),
  anchor,
  measurement: fields<SnpMeasurement>({
    launch: wanted(OTHER),
    hostData: exactly("the host's data at launch"),
    idKeyDigest: exactly("the key that signed the guest"),
    authorKeyDigest: exactly("the author of that key"),
    familyId: exactly("the family id"),
    imageId: exactly("the image id"),
    minGuestSvn: version,
  }),
  guestPolicy: maskedBits,
  platformInfo: maskedBits,
  vmpls: entries(
    admits("reports of this privilege level are accepted", "reports of this level are refused"),
  ),
  signingKeys: entries(
    admits("reports under this kind of key are accepted", "reports under it are refused"),
  ),
  revocation: orAnything("the revocation list", identifying()),
  tcb: fields<SnpTcbPolicy>({
    reported: snpVersions,
    committed: snpVersions,
    launch: snpVersions,
  }),
  platforms: orAnything("the platform", entries<SnpPlatformId>(PLATFORMS)),
});
