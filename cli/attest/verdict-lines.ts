/** The answer of `fedclave attest verify` as people read it: every claim, what the evidence says, the verdict last. */
import type { Check } from "../../lib/attestation/verification/checklist.ts";
import type { VerifiedClaims } from "../../lib/attestation/verification/claims.ts";
import type { Refusal } from "../../lib/base/refusal.ts";
import { type OutputStream, paint } from "../output.ts";
import { renderFields } from "../rendering/table.ts";
import { counted } from "../rendering/units.ts";
import { checkLines, reasonLines } from "./check-lines.ts";
import { claimFields, vendorOf } from "./claim-fields.ts";
import { evidenceFields } from "./evidence-fields.ts";
import type { EvidenceFile } from "./evidence-file.ts";
import type { Outcome } from "./verify-evidence.ts";

/**
 * Checks, what the evidence says, warnings and the verdict. The verdict stands at the end, where a terminal stops, and
 * with it whatever speaks against the evidence: the claims above it have scrolled away.
 */
export function verdictLines(
  stream: OutputStream,
  evidence: EvidenceFile,
  { checks, claims, policyRefusals, warnings }: Outcome,
): string[] {
  const says = evidenceFields(evidence);
  if (claims === undefined) {
    return [
      ...[...checkLines(stream, checks), ""],
      ...["It says of itself, and nobody vouches for it:", ...renderFields(says), ""],
      ...refutedLines(stream, checks),
    ];
  }
  return [
    ...[...checkLines(stream, checks), ""],
    ...[...renderFields([...claimFields(claims), ...says]), ""],
    ...warningLines(stream, warnings),
    ...acceptanceLines(stream, claims, policyRefusals),
  ];
}

/** The claims that do not hold once more, each with its code. */
function refutedLines(stream: OutputStream, checks: readonly Check[]): string[] {
  const refuted = checks.flatMap(({ claim, refusal }) =>
    refusal === undefined ? [] : [`    ${refusal.code}  (${claim})`],
  );
  const share = `${refuted.length} of ${counted(checks.length, "claim")}`;
  const verb = refuted.length === 1 ? "does" : "do";
  return [`${paint(stream, "red", "Not genuine")}: ${share} ${verb} not hold:`, ...refuted];
}

function acceptanceLines(
  stream: OutputStream,
  { anchor }: VerifiedClaims,
  refusals: readonly Refusal[],
): string[] {
  const foreign = vendorOf(anchor) === undefined ? " under a root that is no vendor's" : "";
  const genuine = `${paint(stream, "green", "Genuine")}${foreign}`;
  if (refusals.length === 0) return [`${genuine}, and accepted by the default policy.`];
  return [
    `${genuine}, and ${paint(stream, "red", "refused")} by the default policy:`,
    ...refusals.flatMap(reasonLines),
  ];
}

function warningLines(stream: OutputStream, warnings: readonly Refusal[]): string[] {
  if (warnings.length === 0) return [];
  return [paint(stream, "yellow", "Worth a look:"), ...warnings.flatMap(reasonLines), ""];
}
