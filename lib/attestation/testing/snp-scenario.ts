/** One good SNP report with its endorsements, and the same with one thing changed. */
import type { UnixMs } from "../../base/ids.ts";
import { parseSnpReport } from "../evidence/snp-report.ts";
import type { SnpProduct } from "../evidence/snp-tcb.ts";
import type { SnpClaims, Verification } from "../verification/claims.ts";
import { verifySnpReport } from "../verification/verify-snp.ts";
import {
  type KeyPair,
  type LeafFacts,
  newEcKey,
  newRsaKey,
  TEST_NOW_MS,
  type TestSnpAuthority,
  testSnpAuthority,
} from "./snp-platform.ts";
import { type ReportFields, writeReport } from "./snp-report-writer.ts";

/** Everything that verification is given. */
export type SnpScenario = {
  readonly report: Uint8Array;
  readonly leaf: Uint8Array;
  readonly chain: readonly Uint8Array[];
  readonly crl?: Uint8Array;
  readonly anchors: readonly Uint8Array[];
  readonly nowMs: UnixMs;
};

export type SnpMaker = {
  readonly authority: TestSnpAuthority;
  /** The root's certificate, which is the anchor. */
  readonly ark: Uint8Array;
  readonly leafKey: KeyPair;
  readonly leafFacts: LeafFacts;
  /** A report by the leaf's key. */
  readonly report: (changes?: Partial<ReportFields>) => Uint8Array;
  /** The good one. */
  readonly good: SnpScenario;
};

/** Made once for a test file. */
const KEYS = { arkKey: newRsaKey(), askKey: newRsaKey() };
const LEAF_KEY = newEcKey();

const PRODUCTS = {
  Milan: { productName: "Milan-B0", cpu: [0x19, 0x01, 1], arcs: [1, 2, 4, 5, 6, 7, 3, 8] },
  Genoa: { productName: "Genoa", cpu: [0x19, 0x11, 1], arcs: [1, 2, 4, 5, 6, 7, 3, 8] },
  Turin: { productName: "Turin", cpu: [0x1a, 0x02, 1], arcs: [9, 1, 2, 3, 5, 6, 7, 8] },
} as const;

const REPORTED_TCB = {
  Milan: Uint8Array.of(4, 1, 0, 0, 0, 0, 24, 217),
  Genoa: Uint8Array.of(10, 2, 0, 0, 0, 0, 23, 84),
  Turin: Uint8Array.of(1, 2, 3, 4, 0, 0, 0, 81),
};

/** @param kind  which key signs: the chip's, or the provider's, which names no chip */
export function snpMaker(product: SnpProduct = "Milan", kind: "vcek" | "vlek" = "vcek"): SnpMaker {
  const { productName, cpu, arcs } = PRODUCTS[product];
  const reportedTcb = REPORTED_TCB[product];
  const authority = testSnpAuthority(product, KEYS);
  const idBytes = product === "Turin" ? 8 : 64;
  const hardwareId = Uint8Array.from({ length: idBytes }, (_, index) => 200 - index);
  const leafFacts: LeafFacts = {
    productName,
    kind,
    versions: Object.fromEntries(arcs.map((arc, index) => [arc, reportedTcb[index] ?? 0])),
    ...(kind === "vcek" ? { hardwareId } : { cloudProvider: "CN=cc-us-east-2.example.org" }),
  };
  const chipId = new Uint8Array(64);
  if (kind === "vcek") chipId.set(hardwareId);
  const fields: ReportFields = {
    version: 3,
    policy: 0x30000n,
    vmpl: 0,
    signatureAlgorithm: 1,
    flags: kind === "vcek" ? 0 : 1 << 2,
    platformInfo: 0x25n,
    reportedTcb,
    currentTcb: reportedTcb.map((version) => version + 3),
    committedTcb: reportedTcb.map((version) => version + 2),
    launchTcb: reportedTcb.map((version) => version + 1),
    cpu,
    chipId,
    patches: [],
  };
  const report = (changes?: Partial<ReportFields>) =>
    writeReport({ ...fields, ...changes }, LEAF_KEY);
  const ark = authority.ark();
  const good = {
    report: report(),
    leaf: authority.leaf(leafFacts, LEAF_KEY),
    chain: [authority.ask(kind), ark],
    anchors: [ark],
    nowMs: TEST_NOW_MS,
  };
  return { authority, ark, leafKey: LEAF_KEY, leafFacts, report, good };
}

/** Verifies a scenario. @throws EvidenceError for a report that cannot be read */
export function verifyScenario(scenario: SnpScenario): Verification<SnpClaims> {
  const { report, anchors, nowMs, ...given } = scenario;
  return verifySnpReport(parseSnpReport(report), given, anchors, nowMs);
}

/** Codes of all reasons, in order. */
export const codesOf = ({ checks }: Verification<unknown>): readonly string[] =>
  checks.flatMap(({ refusal }) => (refusal === undefined ? [] : [refusal.code]));
