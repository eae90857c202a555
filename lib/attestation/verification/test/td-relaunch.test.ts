import { describe, expect, test } from "vitest";
import type { UnixMs } from "../../../base/ids.ts";
import type { PckPlatform } from "../../endorsements/sgx-extension.ts";
import type { TcbInfo, TcbLevel, TcbStatus } from "../../endorsements/tcb-info.ts";
import type { DcapTcb } from "../claims.ts";
import { isRelaunchAdvised } from "../td-relaunch.ts";

const DATE_MS = Date.UTC(2024, 10, 13) as UnixMs;
const ZEROS: readonly number[] = new Array<number>(16).fill(0);
const svns = (...first: readonly number[]): readonly number[] =>
  ZEROS.map((_, index) => first[index] ?? 0);
const level = (status: TcbStatus, sgx: number, tdxSvns: readonly number[]): TcbLevel => ({
  status,
  dateMs: DATE_MS,
  advisories: [],
  sgxSvns: svns(sgx),
  tdxSvns,
  pceSvn: 13,
});
const MODULE = {
  mrSigner: new Uint8Array(48),
  attributes: new Uint8Array(8),
  attributesMask: new Uint8Array(8),
};
const infoOf = (...levels: readonly TcbLevel[]): TcbInfo => ({
  tee: "tdx",
  version: 3,
  issueDateMs: DATE_MS,
  nextUpdateMs: DATE_MS,
  fmspc: new Uint8Array(6),
  pceId: new Uint8Array(2),
  evaluationDataNumber: 18,
  levels,
  module: MODULE,
  moduleIdentities: [
    {
      ...MODULE,
      id: "TDX_01",
      levels: [
        { isvSvn: 6, status: "UpToDate", dateMs: DATE_MS, advisories: [] },
        { isvSvn: 4, status: "OutOfDate", dateMs: DATE_MS, advisories: [] },
      ],
    },
  ],
});
const INFO = infoOf(level("UpToDate", 3, svns(5, 0, 3)), level("OutOfDate", 2, svns(5, 0, 2)));
const platformOf = (sgx: number): PckPlatform => ({
  ppid: new Uint8Array(16),
  pceId: new Uint8Array(2),
  fmspc: new Uint8Array(6),
  componentSvns: svns(sgx),
  pceSvn: 13,
  cpuSvn: new Uint8Array(16),
});

/** A domain of module 4 that is out of date for nothing else, over module 7 of the same identity. */
const GOOD = {
  grade: { status: "OutOfDate", qeStatus: "UpToDate", moduleStatus: "OutOfDate" } as Pick<
    DcapTcb,
    "status" | "qeStatus" | "moduleStatus"
  >,
  sgx: 3,
  running: [7, 1, 3] as readonly number[],
  info: INFO,
};
const isAdvised = (change: Partial<typeof GOOD> = {}): boolean => {
  const { grade, sgx, running, info } = { ...GOOD, ...change };
  return isRelaunchAdvised(grade, platformOf(sgx), Uint8Array.from(svns(...running)), info);
};

describe("a launch is advised where", () => {
  test.each<[string, Partial<typeof GOOD>]>([
    ["only the launching module is old", {}],
    ["the running module is exactly the newest", { running: [6, 1, 3] }],
    ["the running module has no identity, and is the newest such", { running: [5, 0, 3] }],
    [
      "the platform's configuration is at fault too",
      {
        grade: { ...GOOD.grade, status: "OutOfDateConfigurationNeeded" },
        info: infoOf(level("ConfigurationNeeded", 3, svns(5, 0, 3))),
      },
    ],
  ])("%s", (_, change) => {
    expect(isAdvised(change)).toBe(true);
  });
});

describe("a launch is not advised where", () => {
  const { grade } = GOOD;
  test.each<[string, Partial<typeof GOOD>]>([
    ["the running module is old too", { running: [5, 1, 3] }],
    ["its microcode is old", { running: [7, 1, 2] }],
    ["it has no identity and is old", { running: [4, 0, 3] }],
    ["its identity is not known", { running: [255, 2, 255] }],
    [
      "nothing is out of date",
      { grade: { ...grade, status: "UpToDate", moduleStatus: "UpToDate" } },
    ],
    [
      "the module has no status of its own",
      { grade: { status: "OutOfDate", qeStatus: "UpToDate" } },
    ],
    ["the quoting enclave is out of date", { grade: { ...grade, qeStatus: "OutOfDate" } }],
    ["the module is revoked", { grade: { ...grade, status: "Revoked", moduleStatus: "Revoked" } }],
    ["the platform is revoked", { grade: { ...grade, status: "Revoked" } }],
    ["the processor's own components are out of date", { sgx: 2 }],
    ["they reach no level", { sgx: 1 }],
    ["they are revoked", { info: infoOf(level("Revoked", 3, svns(5, 0, 3))) }],
  ])("%s", (_, change) => {
    expect(isAdvised(change)).toBe(false);
  });
});
