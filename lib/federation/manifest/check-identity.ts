import { isAnything, type OrAnything } from "../../attestation/appraisal/anything.ts";
import { anchorOf, type EnclaveIdentity } from "../../attestation/appraisal/identity.ts";
import {
  type Hazard,
  hazardsAdmitted,
  type MaskedBits,
  SGX_ATTRIBUTE_HAZARDS,
  SNP_POLICY_HAZARDS,
  TD_ATTRIBUTE_HAZARDS,
} from "../../attestation/appraisal/masked-bits.ts";
import { parseCertificate } from "../../attestation/endorsements/certificate.ts";
import { EvidenceError } from "../../attestation/evidence-error.ts";
import {
  type VendorAnchor,
  vendorAnchorOf,
} from "../../attestation/trust-anchors/vendor-anchors.ts";
import { fromHex } from "../../base/bytes.ts";
import { canonicalJson } from "../../base/canonical-json.ts";
import { type ManifestProblem, type Path, problem } from "./problems.ts";
import type { Sound } from "./sound.ts";

/**
 * Whether an identity can be met, says what it means, and is fit for production.
 * @param identity  whose kind is sound; of its other fields those are looked at that are sound too
 */
export function checkIdentity(
  path: Path,
  identity: EnclaveIdentity,
  { manifest, isSound }: Sound,
): ManifestProblem[] {
  const isProduction = isSound("environment") && manifest.environment === "production";
  const where = (field: string, check: () => ManifestProblem[]): ManifestProblem[] =>
    isSound(...path, field) ? check() : [];
  return [
    ...where("anchor", () => checkAnchor(path, identity, isProduction)),
    ...maskedFields(identity).flatMap(([field, bits, hazards]) =>
      where(field, () => checkBits([...path, field], bits, hazards, isProduction)),
    ),
    ...listFields(identity).flatMap(([field, entries]) =>
      where(field, () => (isAnything(entries) ? [] : checkEntries([...path, field], entries))),
    ),
    ...where("tcb", () => checkTcb([...path, "tcb"], identity)),
    ...where("measurement", () => (isProduction ? checkSoftware(path, identity) : [])),
  ];
}

/** Masked fields, and what would be dangerous in them. */
function maskedFields(
  identity: EnclaveIdentity,
): readonly (readonly [field: string, bits: MaskedBits, hazards: readonly Hazard[]])[] {
  switch (identity.kind) {
    case "sgx":
      return [
        ["attributes", identity.attributes, SGX_ATTRIBUTE_HAZARDS],
        ["miscSelect", identity.miscSelect, []],
      ];
    case "tdx":
      return [
        ["tdAttributes", identity.tdAttributes, TD_ATTRIBUTE_HAZARDS],
        ["xfam", identity.xfam, []],
      ];
    case "sev-snp":
      return [
        ["guestPolicy", identity.guestPolicy, SNP_POLICY_HAZARDS],
        ["platformInfo", identity.platformInfo, []],
      ];
  }
}

/** Lists of what is accepted. */
const listFields = (
  identity: EnclaveIdentity,
): readonly (readonly [field: string, entries: OrAnything<readonly unknown[]>])[] =>
  identity.kind === "sev-snp"
    ? [
        ["platforms", identity.platforms],
        ["vmpls", identity.vmpls],
        ["signingKeys", identity.signingKeys],
      ]
    : [["platforms", identity.platforms]];

function checkAnchor(
  path: Path,
  identity: EnclaveIdentity,
  isProduction: boolean,
): ManifestProblem[] {
  const at = [...path, "anchor"];
  const der = anchorOf(identity);
  const vendor: VendorAnchor["vendor"] = identity.kind === "sev-snp" ? "amd" : "intel";
  const known = vendorAnchorOf(der);
  if (known !== undefined && known.vendor !== vendor) {
    const message = `${known.name} is no root for ${identity.kind}`;
    return [problem("wrong-vendor", at, message)];
  }
  if (known !== undefined) return [];
  if (isProduction) {
    const message = `not a root of ${vendor}'s; development anchors have no place in production`;
    return [problem("development-anchor", at, message)];
  }
  return isAuthority(der) ? [] : [problem("bad-anchor", at, "no certificate of an authority")];
}

function isAuthority(der: Uint8Array): boolean {
  try {
    return parseCertificate(der).authority.isAuthority;
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    return false;
  }
}

function checkBits(
  path: Path,
  bits: MaskedBits,
  hazards: readonly Hazard[],
  isProduction: boolean,
): ManifestProblem[] {
  const value = fromHex(bits.value) ?? new Uint8Array();
  const mask = fromHex(bits.mask) ?? new Uint8Array();
  const problems: ManifestProblem[] = [];
  if (value.some((byte, index) => (byte & ~(mask[index] ?? 0)) !== 0)) {
    const message = "the value wants bits that the mask passes over";
    problems.push(problem("value-outside-mask", [...path, "value"], message));
  }
  const admitted = isProduction ? hazardsAdmitted(bits, hazards) : [];
  if (admitted.length > 0) {
    const message = `accepts ${admitted.join(", ")}, which has no place in production`;
    problems.push(problem("hazard-admitted", path, message));
  }
  return problems;
}

/** A list that accepts nothing, or says the same twice. */
const checkEntries = (path: Path, entries: readonly unknown[]): ManifestProblem[] =>
  entries.length === 0
    ? [problem("nobody-accepted", path, "an empty list accepts nobody")]
    : repeated(path, entries);

function repeated(path: Path, entries: readonly unknown[]): ManifestProblem[] {
  const spelled = entries.map((each) => canonicalJson(each as never));
  return spelled.flatMap((text, index) =>
    spelled.indexOf(text) === index
      ? []
      : [problem("listed-twice", [...path, index], "the same is listed before")],
  );
}

/** Statuses and advisories are listed once, and none is allowed in one place and refused in another. */
function checkTcb(path: Path, identity: EnclaveIdentity): ManifestProblem[] {
  if (identity.kind === "sev-snp") return [];
  const { accepted, refusedAdvisories } = identity.tcb;
  const advisories = accepted.flatMap((each, index) => {
    if (isAnything(each.advisories)) return [];
    const at = [...path, "accepted", index, "advisories"];
    const contradictions = each.advisories.flatMap((advisory, position) =>
      refusedAdvisories.includes(advisory)
        ? [problem("advisory-contradiction", [...at, position], `${advisory} is refused too`)]
        : [],
    );
    return [...repeated(at, each.advisories), ...contradictions];
  });
  const statuses = accepted.map((each) => each.status);
  return [
    ...checkEntries([...path, "accepted"], statuses),
    ...advisories,
    ...repeated([...path, "refusedAdvisories"], refusedAdvisories),
  ];
}

/** A TD whose firmware alone is pinned runs whatever the host gives it to boot. */
function checkSoftware(path: Path, identity: EnclaveIdentity): ManifestProblem[] {
  if (identity.kind !== "tdx") return [];
  const { rtmr1, rtmr2, rtmr3, mrConfigId } = identity.measurement;
  if (![rtmr1, rtmr2, rtmr3, mrConfigId].every(isAnything)) return [];
  const message = "pins the firmware only: none of rtmr1, rtmr2, rtmr3 and mrConfigId is wanted";
  return [problem("unmeasured-software", [...path, "measurement"], message)];
}
