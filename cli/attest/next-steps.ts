/** What helps against the commonest reasons of `fedclave attest verify`, for people. */
import type { Outcome } from "./verify-evidence.ts";

/** Documents that end after weeks; new ones are to be had. */
const ENDED_DOCUMENT = /^(root-crl|pck-crl|ark-crl|tcb-info|qe-identity)-expired$/;

/**
 * What to do next, a line each; nothing if the evidence is genuine.
 * @param hasRoots  whether roots were named on the command line
 */
export function nextSteps(file: string, { checks }: Outcome, hasRoots: boolean): string[] {
  const codes = checks.flatMap(({ refusal }) => (refusal === undefined ? [] : [refusal.code]));
  if (codes.length === 0) return [];
  const fetch = `fedclave attest fetch ${file} --out FILE`;
  const isForOther = codes.includes("fmspc-mismatch") || codes.includes("pceid-mismatch");
  return [
    ...(codes.includes("root-not-trusted") && !hasRoots
      ? ["Roots of Intel and AMD are trusted; for simulated evidence name its own: --root root.der"]
      : []),
    ...(codes.includes("collateral-missing") ? [`Get what is missing with: ${fetch}`] : []),
    ...(codes.some((code) => ENDED_DOCUMENT.test(code))
      ? [`Get newer documents with: ${fetch}; or judge at another time with --now`]
      : []),
    ...(isForOther ? [`Get those of this platform with: ${fetch}`] : []),
    "docs/errors.md says of each code what it means and what to do.",
  ];
}
