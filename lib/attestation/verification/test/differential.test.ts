/**
 * Another verifier beside ours, over real evidence and over everything that the simulator can do. It accepts forged trust,
 * so it decides nothing: each difference is explained, and one that is not explained fails.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { QuoteVerifier } from "@phala/dcap-qvl";
import { beforeAll, expect, test } from "vitest";
import type { UnixMs } from "../../../base/ids.ts";
import { defaultRefusals } from "../../appraisal/default-policy.ts";
import type { Knob } from "../../attester/simulated/knobs/knob.ts";
import { findKnob, KNOBS } from "../../attester/simulated/knobs/knobs.ts";
import type { KnobSettings } from "../../attester/simulated/knobs/simulator-knobs.ts";
import { writeQuoteCollateral } from "../../collateral/quote-collateral.ts";
import type { DcapCollateral } from "../../endorsements/dcap-collateral.ts";
import { parseQuote } from "../../evidence/quote.ts";
import { EvidenceError } from "../../evidence-error.ts";
import { DCAP_CASES, scenarioOf } from "../../testing/dcap-cases.ts";
import { present, TEST_NOW_MS, testRoot } from "../../testing/judge.ts";
import { hasTestdata } from "../../testing/testdata.ts";
import type { VerifiedClaims } from "../claims.ts";
import type { CertificateFault, CertificatePart } from "../codes.ts";
import { verifyQuoteWith } from "../verify-quote.ts";
import { EXPLAINED_DIFFERENCES } from "./explained-differences.ts";

type Presented = {
  readonly bytes: Uint8Array;
  readonly collateral: DcapCollateral;
  readonly anchor: Uint8Array;
  readonly nowMs: UnixMs;
};
type Answer = { readonly status: string; readonly advisories: readonly string[] };
const REFUSED: Answer = { status: "refused", advisories: [] };

/** Genuine, and accepted by the default policy: the other verifier refuses debugging and service TDs too. */
function ours({ bytes, collateral, anchor, nowMs }: Presented): Answer {
  let claims: VerifiedClaims | undefined;
  try {
    claims = verifyQuoteWith(parseQuote(bytes), collateral, [anchor], nowMs).claims;
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
  }
  if (claims === undefined || claims.tee === "sev-snp") return REFUSED;
  if (defaultRefusals(claims).length > 0) return REFUSED;
  return { status: claims.tcb.status, advisories: claims.tcb.advisories };
}

function theirs({ bytes, collateral, anchor, nowMs }: Presented, verifier = QuoteVerifier): Answer {
  try {
    const report = verifier
      .newWithRootCa(Buffer.from(anchor))
      .verify(Buffer.from(bytes), JSON.parse(writeQuoteCollateral(collateral)), nowMs / 1000);
    return { status: report.status, advisories: report.advisory_ids };
  } catch {
    return REFUSED;
  }
}

const told = ({ status, advisories }: Answer): string =>
  [status, ...[...advisories].sort()].join(" ");

/** What differs, in the form of a row: statuses alone where they tell the difference. */
function differenceOf(presented: Presented, verifier?: typeof QuoteVerifier) {
  const [one, other] = [ours(presented), theirs(presented, verifier)];
  if (told(one) === told(other)) return undefined;
  const isAboutAdvisories = one.status === other.status;
  const text = (answer: Answer): string => (isAboutAdvisories ? told(answer) : answer.status);
  return { ours: text(one), theirs: text(other) };
}

const root = testRoot();
type Change = (given: DcapCollateral) => Partial<DcapCollateral>;

/** A machine with the knob turned, and what somebody did to its collateral. */
async function simulated(
  tee: "sgx" | "tdx",
  { knobs, ...rest }: Pick<Knob, "knobs" | "dcap">,
  change: Change = () => ({}),
): Promise<Presented> {
  const platform = { ...rest.dcap, tee };
  const { evidence, endorsements } = await present({ root, platform, knobs });
  if (endorsements.kind !== "dcap") throw new Error("quotes have collateral");
  const { anchor, collateral } = endorsements;
  const changed = { ...collateral, ...change(collateral) };
  return { bytes: evidence.bytes, collateral: changed, anchor, nowMs: TEST_NOW_MS };
}

const revokedWith = (fault?: "signature-invalid" | "expired"): KnobSettings => ({
  faults: {
    certificates: { pck: "revoked" },
    documents: fault === undefined ? {} : { "pck-crl": fault },
  },
});
function certificateFault(part: CertificatePart, fault: CertificateFault): KnobSettings {
  return { faults: { certificates: { [part]: fault }, documents: {} } };
}
/** Of attestation.md §1.4, where knobs alone do not say it. */
const ATTACKS: readonly (readonly [name: string, knobs: KnobSettings, change?: Change])[] = [
  ["PCK revoked: empty list", revokedWith(), () => ({ pckCrl: new Uint8Array() })],
  [
    "PCK revoked: list of four bytes",
    revokedWith(),
    () => ({ pckCrl: Uint8Array.of(0xde, 0xad, 0xbe, 0xef) }),
  ],
  ["PCK revoked: list of the root", revokedWith(), ({ rootCaCrl }) => ({ pckCrl: rootCaCrl })],
  ["PCK revoked: list by an attacker", revokedWith("signature-invalid")],
  ["PCK revoked: list of before", revokedWith("expired")],
  ["PCK signs documents, with its chain", { chain: { documentSigner: "pck-with-its-chain" } }],
  ["PCK CA of another name", certificateFault("pck-ca", "wrong-name")],
  ["PCK CA that names another issuer", certificateFault("pck-ca", "issuer-mismatch")],
  ["TCB signer of another name", certificateFault("tcb-signing", "wrong-name")],
];

const dcapTees = ({ tees }: Knob) => tees.filter((tee) => tee !== "sev-snp");
/** By scenario: those of a knob are one if all TEEs answer alike. */
const found = new Map<string, { readonly ours: string; readonly theirs: string }>();
function note(scenario: string, presented: Presented, verifier?: typeof QuoteVerifier): void {
  const difference = differenceOf(presented, verifier);
  if (difference !== undefined) found.set(scenario, difference);
}

beforeAll(async () => {
  for (const each of DCAP_CASES) {
    const { bytes, collateral, anchors, nowMs } = scenarioOf(each);
    const anchor = anchors[0] ?? new Uint8Array();
    const name = `${each.file}, ${path.basename(each.collateral, ".json")}`;
    note(name, { bytes, collateral, anchor, nowMs });
  }
  for (const knob of KNOBS) {
    for (const tee of dcapTees(knob)) note(`${knob.name} (${tee})`, await simulated(tee, knob));
  }
  for (const [name, knobs, change] of ATTACKS) {
    note(name, await simulated("sgx", { knobs }, change));
  }
  const expired = await simulated("sgx", { knobs: certificateFault("pck", "expired") });
  note("PCK expired, where a global `window` exists", expired, verifierOfBrowsers());
});

/** The same package as it behaves where it takes the process for a browser. */
function verifierOfBrowsers(): typeof QuoteVerifier {
  const require = createRequire(import.meta.url);
  for (const file of Object.keys(require.cache)) {
    if (file.includes("@phala")) delete require.cache[file];
  }
  Reflect.set(globalThis, "window", {});
  try {
    return (require("@phala/dcap-qvl") as { QuoteVerifier: typeof QuoteVerifier }).QuoteVerifier;
  } finally {
    Reflect.deleteProperty(globalThis, "window");
  }
}

/** Explained scenarios as they are found: a knob once for each TEE. */
const explained = EXPLAINED_DIFFERENCES.flatMap(({ scenarios, ours, theirs }) =>
  scenarios.flatMap((scenario) => {
    const knob = findKnob(scenario);
    const names =
      knob === undefined ? [scenario] : dcapTees(knob).map((tee) => `${scenario} (${tee})`);
    return names.map((name) => [name, { ours, theirs }] as const);
  }),
);

test("the other verifier differs where it is explained, and nowhere else", () => {
  const known = hasTestdata ? explained : explained.filter(([name]) => !name.includes("/"));
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(known));
});

test("docs/attestation.md has the same table", () => {
  const docs = readFileSync(new URL("../../../../docs/attestation.md", import.meta.url), "utf8");
  const rows = EXPLAINED_DIFFERENCES.map(({ scenarios, ours, theirs, because }) => {
    const names = scenarios.map((each) => (each.includes(" ") ? each : `\`${each}\``)).join("; ");
    return `| ${names} | ${ours} | ${theirs} | ${because} |`;
  });
  expect(rows.filter((row) => !docs.includes(row))).toEqual([]);
});
