import { describe, expect, test } from "vitest";
import type { UnixMs } from "../../../base/ids.ts";
import type { PckPlatform } from "../../endorsements/sgx-extension.ts";
import type { IsvLevel, TcbInfo, TcbLevel, TcbStatus } from "../../endorsements/tcb-info.ts";
import { matchIsvLevel, matchTcbLevel } from "../tcb-level.ts";

const day = (text: string): UnixMs => Date.parse(text) as UnixMs;

const ZEROS: readonly number[] = new Array<number>(16).fill(0);
/** 16 numbers of which the first few are given. */
const svns = (...first: readonly number[]): readonly number[] =>
  ZEROS.map((_, index) => first[index] ?? 0);

const platformOf = (componentSvns: readonly number[], pceSvn: number): PckPlatform => ({
  ppid: new Uint8Array(16),
  pceId: new Uint8Array(2),
  fmspc: new Uint8Array(6),
  componentSvns,
  pceSvn,
  cpuSvn: new Uint8Array(16),
});

function levelOf(
  status: TcbStatus,
  date: string,
  sgxSvns: readonly number[],
  pceSvn: number,
  tdxSvns: readonly number[] = [],
): TcbLevel {
  return { status, dateMs: day(date), advisories: [date], sgxSvns, tdxSvns, pceSvn };
}

const infoOf = (levels: readonly TcbLevel[]): TcbInfo => ({
  tee: "sgx",
  version: 3,
  issueDateMs: day("2025-01-01"),
  nextUpdateMs: day("2025-02-01"),
  fmspc: new Uint8Array(6),
  pceId: new Uint8Array(2),
  evaluationDataNumber: 17,
  levels,
  moduleIdentities: [],
});

describe("levels of a platform", () => {
  const info = infoOf([
    levelOf("UpToDate", "2024-03-13", svns(7, 7, 2, 5), 13),
    levelOf("ConfigurationNeeded", "2024-03-13", svns(7, 7, 2, 0), 13),
    levelOf("OutOfDate", "2023-02-15", svns(6, 6, 2, 5), 13),
    levelOf("OutOfDateConfigurationNeeded", "2023-02-15", svns(6, 6, 2, 0), 13),
    levelOf("OutOfDate", "2021-11-10", svns(5, 5, 2, 5), 11),
    levelOf("Revoked", "2018-01-04", svns(1, 1), 5),
  ]);
  const match = (components: readonly number[], pceSvn: number) =>
    matchTcbLevel(info, platformOf(components, pceSvn), undefined);

  test.each([
    ["all components are equal", svns(7, 7, 2, 5), 13, "UpToDate"],
    ["all are higher", svns(8, 9, 3, 6, 1), 99, "UpToDate"],
    ["one is lower and others are much higher", svns(6, 255, 255, 255), 255, "OutOfDate"],
    ["one that is not the first is lower", svns(255, 255, 255, 4), 13, "ConfigurationNeeded"],
    ["the PCE is lower", svns(7, 7, 2, 5), 12, "OutOfDate"],
    ["both", svns(6, 6, 2, 0), 13, "OutOfDateConfigurationNeeded"],
    ["little is left", svns(1, 1), 5, "Revoked"],
  ] as const)("the first that is reached counts where %s", (_, components, pceSvn, status) => {
    expect(match(components, pceSvn)?.status).toBe(status);
  });

  test.each([
    ["a component", svns(1, 0, 255), 255],
    ["the PCE", svns(255, 255, 255, 255), 4],
  ])("none counts below all of them in %s", (_, components, pceSvn) => {
    expect(match(components, pceSvn)).toBeUndefined();
  });

  test("every component matters", () => {
    const high = infoOf([
      levelOf(
        "UpToDate",
        "2024-03-13",
        ZEROS.map(() => 3),
        1,
      ),
    ]);
    for (const index of ZEROS.keys()) {
      const one = ZEROS.map((_, each) => (each === index ? 2 : 3));
      expect(matchTcbLevel(high, platformOf(one, 1), undefined)).toBeUndefined();
    }
    const equal = ZEROS.map(() => 3);
    expect(matchTcbLevel(high, platformOf(equal, 1), undefined)?.status).toBe("UpToDate");
  });

  test.each([
    ["not at all if it is not", svns(7, 7, 2, 0), 13, undefined],
    ["from the next that is newer", svns(6, 6, 2, 5), 13, "2024-03-13"],
    ["not from one of the same date", svns(6, 6, 2, 0), 13, "2024-03-13"],
    ["from the oldest of those that are newer", svns(5, 5, 2, 5), 11, "2023-02-15"],
  ] as const)("a platform is out of date %s", (_, components, pceSvn, since) => {
    const wanted = since === undefined ? undefined : day(since);
    expect(match(components, pceSvn)?.outOfDateSinceMs).toBe(wanted);
  });
});

describe("levels of a TDX platform", () => {
  const tdx = svns(5, 0, 3);
  const info = infoOf([
    levelOf("UpToDate", "2024-03-13", svns(3), 11, tdx),
    levelOf("OutOfDate", "2023-02-15", svns(3), 11, svns(3, 0, 2)),
    levelOf("OutOfDate", "2022-02-15", svns(2), 11, svns(3, 0, 2)),
  ]);
  const match = (sgx: readonly number[], ...teeTcbSvn: readonly number[]) =>
    matchTcbLevel(info, platformOf(sgx, 11), Uint8Array.from(svns(...teeTcbSvn)))?.dateMs;

  test.each([
    ["at the level, module without identity", svns(3), [5, 0, 3], "2024-03-13"],
    ["module below", svns(3), [4, 0, 3], "2023-02-15"],
    ["late microcode below", svns(3), [5, 0, 2], "2023-02-15"],
    ["SGX components below", svns(2), [5, 0, 3], "2022-02-15"],
    [
      "module with an identity, whose version is not compared here",
      svns(3),
      [1, 1, 3],
      "2024-03-13",
    ],
    ["module with an identity, late microcode below", svns(3), [255, 1, 2], "2023-02-15"],
    ["module with an identity, module and microcode lowest", svns(3), [0, 9, 2], "2023-02-15"],
  ] as const)("%s", (_, sgx, teeTcbSvn, date) => {
    expect(match(sgx, ...teeTcbSvn)).toBe(day(date));
  });

  test.each([
    ["below all in the module", svns(3), [2, 0, 3]],
    ["below all in the microcode", svns(3), [255, 1, 1]],
    ["below all in SGX components", svns(1), [5, 0, 3]],
  ] as const)("none counts %s", (_, sgx, teeTcbSvn) => {
    expect(match(sgx, ...teeTcbSvn)).toBeUndefined();
  });

  test("a level without TDX components is nobody's", () => {
    const sgxOnly = infoOf([levelOf("UpToDate", "2024-03-13", svns(3), 11)]);
    const teeTcbSvn = Uint8Array.from(svns(5, 0, 3));
    expect(matchTcbLevel(sgxOnly, platformOf(svns(3), 11), teeTcbSvn)).toBeUndefined();
  });
});

describe("levels of an enclave or module", () => {
  const levels: readonly IsvLevel[] = (
    [
      [8, "UpToDate", "2024-03-13"],
      [6, "OutOfDate", "2021-11-10"],
      [5, "OutOfDate", "2020-11-11"],
      [2, "Revoked", "2019-05-15"],
    ] as const
  ).map(([isvSvn, status, date]) => ({ isvSvn, status, dateMs: day(date), advisories: [] }));

  test.each([
    [255, "UpToDate", undefined],
    [8, "UpToDate", undefined],
    [7, "OutOfDate", "2024-03-13"],
    [5, "OutOfDate", "2021-11-10"],
    [4, "Revoked", undefined],
    [2, "Revoked", undefined],
  ] as const)("ISVSVN %i is %s, since %s", (isvSvn, status, since) => {
    const found = matchIsvLevel(levels, isvSvn);
    expect(found?.status).toBe(status);
    expect(found?.outOfDateSinceMs).toBe(since === undefined ? undefined : day(since));
  });

  test("what is out of date with nothing newer has been so since its own date", () => {
    const only = levels.slice(1, 2);
    expect(matchIsvLevel(only, 6)?.outOfDateSinceMs).toBe(day("2021-11-10"));
  });

  test("none counts below all of them", () => {
    expect(matchIsvLevel(levels, 1)).toBeUndefined();
    expect(matchIsvLevel([], 255)).toBeUndefined();
  });
});
