/** `fedclave attest verify` over the real evidence of ../shared/testdata/attestation, case by case. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { hasTestdata, testdataPath } from "../../lib/attestation/testing/testdata.ts";
import type { Verdict } from "../attest/verdict.ts";
import { runCommand } from "../testing/captured-output.ts";

/** Fields of cases.json that say what must come out. */
type Case = {
  readonly file: string;
  readonly kind?: "ra-tls" | "sev-snp" | "bad";
  readonly collateral?: string;
  readonly root?: string;
  readonly leaf?: string;
  readonly chain?: string;
  readonly now?: string;
  readonly debug?: boolean;
  readonly reportData?: string;
  readonly mrenclave?: string;
  readonly mrtd?: string;
  readonly measurement?: string;
  readonly mrsigner?: string;
  readonly mr_service_td?: string;
  readonly expect: {
    readonly status?: string;
    readonly reject?: string;
    readonly advisories?: readonly string[];
    readonly statusIfDebugAllowed?: string;
    readonly advisoriesIfDebugAllowed?: readonly string[];
    readonly valid?: boolean;
  };
};

const cases: readonly Case[] = hasTestdata
  ? JSON.parse(readFileSync(testdataPath("cases.json"), "utf8"))
  : [];
const titled = (some: readonly Case[]) =>
  some.map((each) => [`${each.file} ${each.collateral ?? ""}`, each] as const);

async function verify(given: Case, ...more: readonly string[]) {
  const options = (["collateral", "root", "leaf", "chain"] as const).flatMap((name) => {
    const file = given[name];
    return file === undefined ? [] : [`--${name}`, testdataPath(file)];
  });
  const now = given.now === undefined ? [] : ["--now", given.now];
  const file = testdataPath(given.file);
  const run = await runCommand(["attest", "verify", file, ...options, ...now, "--json", ...more]);
  expect(run.stderr).toBe("");
  const verdict = JSON.parse(run.stdout) as Verdict;
  return { status: run.status, verdict, codes: verdict.reasons.map(({ code }) => code) };
}

const isZero = (hex = "0"): boolean => /^0*$/.test(hex);
const sorted = (texts: readonly string[] = []): string[] => [...texts].sort();

describe.skipIf(!hasTestdata)("real evidence (skipped where ../shared is not there)", () => {
  const quotes = cases.filter(({ kind, collateral }) => kind === undefined && collateral);
  const graded = quotes.filter((each) => each.expect.status !== undefined);
  test.each(titled(graded))("%s is genuine with the status that is expected", async (_, given) => {
    const { status, verdict, codes } = await verify(given);
    expect(verdict).toMatchObject({
      genuine: true,
      tcbStatus: given.expect.status,
      ...(given.reportData && { reportData: given.reportData, debug: false }),
      ...(given.mrenclave && { measurement: given.mrenclave, signer: given.mrsigner }),
      ...(given.mrtd && { measurement: given.mrtd, signer: null }),
    });
    if (given.expect.advisories !== undefined) {
      expect(sorted(verdict.advisories)).toEqual(sorted(given.expect.advisories));
    }
    const isBound = !isZero(given.mr_service_td);
    expect([status, codes]).toEqual(isBound ? [2, ["service-td-bound"]] : [0, []]);
  });

  const debuggable = cases.filter((each) => each.expect.reject === "debug");
  test.each(titled(debuggable))("%s is genuine, and refused for debugging", async (_, given) => {
    const { status, verdict, codes } = await verify(given);
    expect([status, codes]).toEqual([2, ["debug-enclave"]]);
    expect(verdict).toMatchObject({
      genuine: true,
      accepted: false,
      debug: true,
      tcbStatus: given.expect.statusIfDebugAllowed,
    });
    expect(sorted(verdict.advisories)).toEqual(sorted(given.expect.advisoriesIfDebugAllowed));
  });

  test("a quote below every level is refused, and shown as it is", async () => {
    const given = cases.find((each) => each.expect.reject === "tcb-level-not-found")!;
    const { status, verdict, codes } = await verify(given);
    expect([status, codes]).toEqual([2, ["tcb-level-not-found"]]);
    expect(verdict).toMatchObject({
      genuine: false,
      tcbStatus: null,
      measurement: given.mrtd,
      reportData: given.reportData,
      debug: false,
    });
  });

  const reports = cases.filter(({ kind }) => kind === "sev-snp");
  test.each(titled(reports))("%s is a genuine SNP report", async (_, given) => {
    const { status, verdict, codes } = await verify(given);
    expect(verdict).toMatchObject({
      genuine: true,
      tee: "sev-snp",
      tcbStatus: null,
      advisories: [],
      debug: given.debug,
      measurement: given.measurement,
      reportData: given.reportData,
    });
    expect([status, codes]).toEqual(given.debug ? [2, ["debug-enclave"]] : [0, []]);
  });

  test("an RA-TLS certificate whose platform nobody vouches for is checked as far as that goes", async () => {
    const given = cases.find(({ kind, collateral }) => kind === "ra-tls" && !collateral)!;
    const { status, verdict, codes } = await verify(given, "--now", "2025-08-30T05:09:06Z");
    expect([status, codes]).toEqual([2, ["collateral-missing"]]);
    expect(verdict.checks.filter(({ holds }) => holds).length).toBeGreaterThan(10);
    expect(verdict).toMatchObject({ genuine: false, evidence: "ra-tls", tee: "sgx", debug: true });
  });

  const bad = cases.filter(({ kind }) => kind === "bad");
  test.each(titled(bad))("%s is refused by its self-signature", async (_, given) => {
    const { status, verdict, codes } = await verify(given);
    expect([status, verdict.genuine]).toEqual([2, false]);
    expect(codes).toContain("self-signature-invalid");
  });

  test("a report is refused with a VCEK that AMD did not sign", async () => {
    const report = reports.find(({ debug }) => debug === false)!;
    const { status, codes } = await verify({ ...report, leaf: "bad/snp-vcek-invalid-new.der" });
    expect(status).toBe(2);
    expect(codes).toContain("vcek-signature-invalid");
  });

  test("Intel's sample under a test root is refused under Intel's own root", async () => {
    const { root: _, ...given } = cases.find(({ file }) => file.startsWith("testroot/"))!;
    const { status, codes } = await verify(given);
    expect(status).toBe(2);
    expect(codes).toContain("root-not-trusted");
  });
});
