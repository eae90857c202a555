/** What is known of genuine evidence beyond what it says itself, as fields for people. */

import type { SnpTcb } from "../../lib/attestation/evidence/snp-tcb.ts";
import { VENDOR_ANCHORS } from "../../lib/attestation/trust-anchors/vendor-anchors.ts";
import type {
  DcapPlatform,
  DcapTcb,
  SnpPlatform,
  VerifiedClaims,
} from "../../lib/attestation/verification/claims.ts";
import { toHex } from "../../lib/base/bytes.ts";
import { type Digest, digestOf } from "../../lib/base/ids.ts";
import { formatInstant } from "../rendering/units.ts";
import type { Field } from "./measurement-fields.ts";

/** Who vouches, the state of the platform, until when the answer holds. */
export const claimFields = (claims: VerifiedClaims): Field[] => [
  ["vouched for by", describeAnchor(claims.anchor)],
  ...(claims.tee === "sev-snp"
    ? snpPlatformFields(claims.platform)
    : [...tcbFields(claims.tcb), ...dcapPlatformFields(claims.platform)]),
  ["debug", claims.isDebug ? "yes: the host may look inside" : "no"],
  ["holds until", `${formatInstant(claims.expiresAtMs)} UTC`],
];

/** "Intel, root 44a0…"; whatever is no vendor's is said to be none. */
const describeAnchor = (anchor: Digest): string =>
  `${vendorOf(anchor) ?? "a root that is no vendor's"}, SHA-256 ${anchor}`;

/** "intel", "amd-milan", …; undefined for a root that is no vendor's. */
export const vendorOf = (anchor: Digest): string | undefined =>
  VENDOR_ANCHORS.find(({ der }) => digestOf(der) === anchor)?.name;

function tcbFields(tcb: DcapTcb): Field[] {
  const parts = [
    `platform ${tcb.platformStatus}`,
    `quoting enclave ${tcb.qeStatus}`,
    ...(tcb.moduleStatus === undefined ? [] : [`TDX module ${tcb.moduleStatus}`]),
  ];
  const since = tcb.outOfDateSinceMs;
  return [
    ["TCB status", `${tcb.status} (${parts.join(", ")})`],
    ["advisories", tcb.advisories.join(", ") || "none"],
    ["TCB date", formatInstant(tcb.tcbDateMs).slice(0, 10)],
    ["out of date since", since && formatInstant(since).slice(0, 10)],
    [
      "relaunch",
      tcb.isRelaunchAdvised === true ? "advised: a current TDX module runs now" : undefined,
    ],
    ["evaluation number", evaluationNumbers(tcb)],
  ].map(([name = "", value]): Field => [name, value]);
}

const evaluationNumbers = (tcb: DcapTcb): string =>
  `${tcb.tcbEvaluationDataNumber}, of the QE identity ${tcb.qeEvaluationDataNumber}`;

function dcapPlatformFields(platform: DcapPlatform): Field[] {
  const flags = [
    ...(platform.dynamicPlatform ? ["dynamic platform"] : []),
    ...(platform.cachedKeys ? ["cached keys"] : []),
    ...(platform.smtEnabled ? ["SMT enabled"] : []),
  ];
  return [
    ["PPID", toHex(platform.ppid)],
    ["platform instance", platform.platformInstanceId && toHex(platform.platformInstanceId)],
    ["platform flags", flags.join(", ")],
  ];
}

function snpPlatformFields(platform: SnpPlatform): Field[] {
  return [
    ["product", platform.product],
    ["TCB reported", describeTcb(platform.reportedTcb)],
    ["TCB committed", describeTcb(platform.committedTcb)],
    ["TCB at launch", describeTcb(platform.launchTcb)],
    ["revocation", platform.revocationChecked ? "checked" : "not checked: no list was given"],
  ];
}

const describeTcb = ({ fmc, bootloader, tee, snp, microcode }: SnpTcb): string =>
  [
    ...(fmc === undefined ? [] : [`FMC ${fmc}`]),
    `boot loader ${bootloader}`,
    `TEE ${tee}`,
    `SNP ${snp}`,
    `microcode ${microcode}`,
  ].join(", ");
