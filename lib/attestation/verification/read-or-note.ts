/** Parsers throw; a verifier notes. */
import { EvidenceError } from "../evidence-error.ts";
import type { Checklist } from "./checklist.ts";
import type { VerificationCode } from "./codes.ts";

/**
 * Reads something of a stranger's; what makes it unreadable is noted under that code.
 * @param claim  "TCB info: readable"
 * @param read  may throw EvidenceError
 */
export function readOrNote<Value>(
  checklist: Checklist,
  code: VerificationCode,
  claim: string,
  wanted: string,
  read: () => Value,
): Value | undefined {
  try {
    const value = read();
    checklist.note(true, code, claim, "", wanted);
    return value;
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    checklist.note(false, code, claim, error.message, wanted);
    return undefined;
  }
}
