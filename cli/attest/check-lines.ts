/** Claims that were checked, a line each, and what was said against them. */
import type { Check } from "../../lib/attestation/verification/checklist.ts";
import type { Refusal } from "../../lib/base/refusal.ts";
import { type OutputStream, paint } from "../output.ts";

/** "✓ claim"; or "✗ claim", and below it the code with what was seen and wanted. */
export const checkLines = (stream: OutputStream, checks: readonly Check[]): string[] =>
  checks.flatMap(({ claim, refusal }) =>
    refusal === undefined
      ? [`${paint(stream, "green", "✓")} ${claim}`]
      : [`${paint(stream, "red", "✗")} ${claim}`, ...reasonLines(refusal)],
  );

/** A code, and the values below each other: hashes are compared by eye. */
export const reasonLines = ({ code, seen, wanted }: Refusal): string[] => [
  `    ${code}`,
  `      seen    ${seen}`,
  `      wanted  ${wanted}`,
];
