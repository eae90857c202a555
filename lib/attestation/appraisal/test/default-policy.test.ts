import { expect, test } from "vitest";
import type { VerifiedClaims } from "../../verification/claims.ts";
import { defaultRefusals, defaultWarnings } from "../default-policy.ts";
import { goodSgx, goodSnp, goodTdx } from "../testing/claims-and-identities.ts";

const sgx = (first: number): VerifiedClaims => ({
  ...goodSgx,
  measurements: {
    ...goodSgx.measurements,
    attributes: Uint8Array.of(first, ...new Uint8Array(15)),
  },
});
const tdx = (first: number, fourth = 0x10): VerifiedClaims => ({
  ...goodTdx,
  measurements: {
    ...goodTdx.measurements,
    tdAttributes: Uint8Array.of(first, 0, 0, fourth, 0, 0, 0, 0),
  },
});
const snp = (change: object, platform = {}): VerifiedClaims => ({
  ...goodSnp,
  measurements: { ...goodSnp.measurements, ...change },
  platform: { ...goodSnp.platform, ...platform },
});
const serviceTd = new Uint8Array(48);
serviceTd[47] = 1;
const bound: VerifiedClaims = {
  ...goodTdx,
  measurements: { ...goodTdx.measurements, mrServiceTd: serviceTd },
};
const graded = (change: object): VerifiedClaims => ({
  ...goodSgx,
  tcb: { ...goodSgx.tcb, ...change },
});

test.each<[string, VerifiedClaims, string[]]>([
  ["an ordinary enclave", goodSgx, []],
  ["an enclave without INIT and 64-bit bits", sgx(0), []],
  ["a debug enclave", sgx(0x07), ["debug-enclave"]],
  ["an enclave with every key there is", sgx(0x35), ["provision-key", "einittoken-key"]],
  ["claims that say debug whatever the bits", { ...goodSgx, isDebug: true }, ["debug-enclave"]],
  ["a debug enclave whose claims say so too", { ...sgx(0x07), isDebug: true }, ["debug-enclave"]],
  ["an ordinary TD", goodTdx, []],
  ["a TD without SEPT_VE_DISABLE", tdx(0, 0), []],
  ["a debug TD", tdx(1), ["debug-enclave"]],
  ["a TD with any bit of the first byte", tdx(0x40), ["debug-enclave"]],
  ["a TD with a service TD", bound, ["service-td-bound"]],
  ["an ordinary guest", goodSnp, []],
  ["a guest at VMPL 1", snp({ vmpl: 1 }), []],
  ["a guest at VMPL 3", snp({ vmpl: 3 }), []],
  ["a report that the host asked for", snp({ vmpl: 0xffff_ffff }), ["report-by-host"]],
  ["a debug guest", snp({ policy: 0xb0000n }), ["debug-enclave"]],
  ["a guest with a migration agent", snp({ policy: 0x70000n }), ["migration-agent"]],
  ["an outdated platform", graded({ status: "OutOfDate" }), []],
  ["a revoked platform", graded({ status: "Revoked" }), []],
])("of %s the default policy refuses %#", (_what, claims, codes) => {
  expect(defaultRefusals(claims).map((each) => each.code)).toEqual(codes);
});

test("claims of a certificate that nobody understands are refused, each by its name", () => {
  const refusals = defaultRefusals(goodSgx, ["key_0", "key_1"]);
  expect(refusals.map(({ code, seen }) => [code, seen])).toEqual([
    ["unexpected-claim", "key_0"],
    ["unexpected-claim", "key_1"],
  ]);
});

test.each<[string, VerifiedClaims, string[]]>([
  ["an ordinary enclave", goodSgx, []],
  [
    "a platform that is not up to date",
    graded({ status: "SWHardeningNeeded" }),
    ["tcb-not-up-to-date"],
  ],
  ["documents of version 2", graded({ tcbInfoVersion: 2 }), ["advisories-not-listed"]],
  ["an ordinary TD", goodTdx, []],
  ["a TD without SEPT_VE_DISABLE", tdx(0, 0), ["sept-ve-enabled"]],
  ["an ordinary guest", goodSnp, []],
  ["a guest at VMPL 2", snp({ vmpl: 2 }), ["vmpl-not-zero"]],
  [
    "a guest whose chain nobody could look up",
    snp({}, { revocationChecked: false }),
    ["revocation-unknown"],
  ],
])("%s is warned of as it should be", (_what, claims, codes) => {
  expect(defaultWarnings(claims).map((each) => each.code)).toEqual(codes);
});
