/** docs/attestation-simulator.md lists the knobs as they are. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Knob, KnobAnswer } from "../knobs/knob.ts";
import { KNOBS } from "../knobs/knobs.ts";

const DOCUMENT = new URL("../../../../../docs/attestation-simulator.md", import.meta.url);

const TEES = { sgx: "SGX", tdx: "TDX", "sev-snp": "SNP" } as const;
const ANSWERS: Readonly<Record<KnobAnswer["by"], string>> = {
  nobody: "accepted",
  parser: "parser",
  verifier: "verifier",
  floor: "collateral floor",
  "default-policy": "default policy",
  "tcb-policy": "TCB policy",
};

const row = ({ name, about, tees, answer }: Knob): string => {
  const code = answer.by === "nobody" ? "" : `: \`${answer.code}\``;
  const names = tees.map((tee) => TEES[tee]).join(", ");
  return `| \`${name}\` | ${about} | ${names} | ${ANSWERS[answer.by]}${code} |`;
};

test("every knob has its row, in order, and there is no row without a knob", () => {
  const rows = readFileSync(DOCUMENT, "utf8")
    .split("\n")
    .filter((line) => /^\| `[a-z0-9-]+` \|.*\|.*\|.*\|$/.test(line));
  expect(rows).toEqual(KNOBS.map(row));
});
