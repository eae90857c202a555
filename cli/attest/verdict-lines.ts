/** The answer of `fedclave attest verify` as people read it: every claim on its line, then what follows from all. */
import type { Refusal } from "../../lib/base/refusal.ts";
import { type OutputStream, paint } from "../output.ts";
import { renderFields } from "../rendering/table.ts";
import { checkLines, reasonLines } from "./check-lines.ts";
import { claimFields } from "./claim-fields.ts";
import { evidenceFields } from "./evidence-fields.ts";
import type { EvidenceFile } from "./evidence-file.ts";
import type { Outcome } from "./verify-evidence.ts";

/** Checks, verdict, warnings, then what the evidence says. */
export function verdictLines(
  stream: OutputStream,
  evidence: EvidenceFile,
  { checks, claims, policyRefusals, warnings }: Outcome,
): string[] {
  const verdict =
    claims === undefined
      ? [`${paint(stream, "red", "Not genuine.")} It says of itself, and nobody vouches for it:`]
      : [...acceptanceLines(stream, policyRefusals), ...warningLines(stream, warnings)];
  const known = claims === undefined ? [] : claimFields(claims);
  return [
    ...checkLines(stream, checks),
    "",
    ...verdict,
    "",
    ...renderFields([...known, ...evidenceFields(evidence)]),
  ];
}

function acceptanceLines(stream: OutputStream, refusals: readonly Refusal[]): string[] {
  const genuine = paint(stream, "green", "Genuine");
  if (refusals.length === 0) return [`${genuine}, and accepted by the default policy.`];
  return [
    `${genuine}, and ${paint(stream, "red", "refused")} by the default policy:`,
    ...refusals.flatMap(reasonLines),
  ];
}

function warningLines(stream: OutputStream, warnings: readonly Refusal[]): string[] {
  if (warnings.length === 0) return [];
  return [paint(stream, "yellow", "Worth a look:"), ...warnings.flatMap(reasonLines)];
}
