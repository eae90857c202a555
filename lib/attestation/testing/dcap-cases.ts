/** Real DCAP quotes with the endorsements and the verdict that belong to them, from ../shared/testdata/attestation. */
import type { UnixMs } from "../../base/ids.ts";
import { parseQuoteCollateral } from "../collateral/quote-collateral.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import { parseQuote, type Quote } from "../evidence/quote.ts";
import { hasTestdata, readTestdata, readTestdataText } from "./testdata.ts";

/** A row of cases.json about a quote. */
export type DcapCase = {
  readonly file: string;
  readonly collateral: string;
  readonly root: string;
  readonly now: string;
  readonly quoteVersion?: number;
  readonly tee?: "SGX" | "TDX";
  readonly fmspc?: string;
  readonly debug?: boolean;
  readonly trailingBytes?: number;
  readonly expect: {
    readonly reject?: string;
    readonly status?: string;
    readonly platformStatus?: string;
    readonly moduleStatus?: string;
    readonly qeStatus?: string;
    readonly advisories?: readonly string[];
    readonly tcbDate?: string;
    readonly tcbEvaluationDataNumber?: number;
    readonly statusIfDebugAllowed?: string;
    readonly advisoriesIfDebugAllowed?: readonly string[];
  };
  readonly [fact: string]: unknown;
};

/** All of them; none where the folder is not there. */
export const DCAP_CASES: readonly DcapCase[] = hasTestdata
  ? (JSON.parse(readTestdataText("cases.json")) as DcapCase[]).filter(
      ({ kind, collateral }) => kind === undefined && collateral !== undefined,
    )
  : [];

/** Everything that a verifier is given. */
export type DcapScenario = {
  readonly bytes: Uint8Array;
  readonly quote: Quote;
  readonly collateral: DcapCollateral;
  readonly anchors: readonly Uint8Array[];
  readonly nowMs: UnixMs;
};

/** Reads the files of a case. */
export function scenarioOf({ file, collateral, root, now }: DcapCase): DcapScenario {
  const bytes = readTestdata(file);
  return {
    bytes,
    quote: parseQuote(bytes),
    collateral: parseQuoteCollateral(readTestdataText(collateral)),
    anchors: [readTestdata(root)],
    nowMs: Date.parse(now) as UnixMs,
  };
}

/** The case of that quote and that collateral: "v3-phala", "2025-06". */
export function dcapCase(file: string, collateral: string): DcapCase {
  const found = DCAP_CASES.find(
    (each) => each.file.includes(file) && each.collateral.includes(collateral),
  );
  if (found === undefined) throw new Error(`no case of ${file} with ${collateral}`);
  return found;
}

/** One quote of each form, for tests that damage every byte. */
export const DAMAGED_SCENARIOS: readonly (readonly [title: string, scenario: DcapScenario])[] =
  hasTestdata
    ? [
        ["SGX, version 3", scenarioOf(dcapCase("v3-phala", "2025-06"))],
        ["TDX, version 4", scenarioOf(dcapCase("v4-phala", "2025-06"))],
        ["TDX 1.5, version 5", scenarioOf(dcapCase("v5-oe", "2025-06"))],
      ]
    : [];
