/** What an honest simulator emits is genuine, and says what it was told to say. */
import { describe, expect, test } from "vitest";
import { digestOf, type UnixMs } from "../../../../base/ids.ts";
import { TCB_STATUSES } from "../../../endorsements/tcb-info.ts";
import { parseQuote } from "../../../evidence/quote.ts";
import { judge, present, TEST_NOW_MS, TEST_REPORT_DATA, testRoot } from "../../../testing/judge.ts";
import { measureCode } from "../measure-code.ts";
import type { PlatformChoice } from "../platform-settings.ts";
import { simulatedAttester, simulatedEndorsements, simulatedTee } from "../simulated-attester.ts";

const root = testRoot();
const bytes = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 7 + seed) & 0xff);

const DCAP: readonly PlatformChoice[] = [
  ...([3, 4, 5] as const).flatMap((quoteVersion) =>
    (["platform", "processor"] as const).map((pckCa) => ({
      tee: "sgx" as const,
      quoteVersion,
      pckCa,
    })),
  ),
  { tee: "tdx", quoteVersion: 4 },
  { tee: "tdx", quoteVersion: 5 },
  { tee: "tdx", quoteVersion: 5, tdReport: "1.5" },
  { tee: "tdx", teeTcbSvn: Uint8Array.of(5, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) },
];

const SNP: readonly PlatformChoice[] = (["Milan", "Genoa", "Turin"] as const).flatMap((product) =>
  (["vcek", "vlek"] as const).flatMap((signingKey) =>
    ([2, 3, 4, 5] as const)
      .filter((reportVersion) => product !== "Turin" || reportVersion > 2)
      .map((reportVersion) => ({ tee: "sev-snp" as const, product, signingKey, reportVersion })),
  ),
);

test.each([...DCAP, ...SNP])("%j is genuine", async (platform) => {
  const presented = await present({ root, platform });
  const { by, codes, claims } = await judge(presented);
  expect([by, codes]).toEqual(["nobody", []]);
  expect(claims?.tee).toBe(platform.tee);
  expect(claims?.reportData).toEqual(TEST_REPORT_DATA);
  expect(claims?.anchor).toBe(digestOf(presented.endorsements.anchor));
});

describe("what was measured is what is claimed", () => {
  const claimsOf = async (
    measurement: Parameters<ReturnType<typeof simulatedTee>["attester"]>[0],
    platform: PlatformChoice,
  ) => {
    const tee = simulatedTee({ root, platform });
    const evidence = await tee.attester(measurement).attest(TEST_REPORT_DATA);
    const endorsements = await tee.endorsements(TEST_NOW_MS);
    return (await judge({ evidence, endorsements, before: endorsements })).claims;
  };

  test("of an SGX enclave with KSS", async () => {
    const measurements = {
      mrEnclave: bytes(32, 1),
      mrSigner: bytes(32, 2),
      isvProdId: 0x1234,
      isvSvn: 0x2345,
      attributes: Uint8Array.of(5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
      miscSelect: 0x01020304,
      configId: bytes(64, 3),
      configSvn: 0x3456,
      isvExtProdId: bytes(16, 4),
      isvFamilyId: bytes(16, 5),
    };
    const claims = await claimsOf({ tee: "sgx", ...measurements }, { tee: "sgx", quoteVersion: 5 });
    expect(claims?.measurements).toEqual(measurements);
  });

  test("of a TD 1.5", async () => {
    const measurements = {
      mrTd: bytes(48, 1),
      mrConfigId: bytes(48, 2),
      mrOwner: bytes(48, 3),
      mrOwnerConfig: bytes(48, 4),
      rtmrs: [bytes(48, 5), bytes(48, 6), bytes(48, 7), bytes(48, 8)],
      mrServiceTd: new Uint8Array(48),
      mrSeam: bytes(48, 9),
      mrSignerSeam: new Uint8Array(48),
      seamAttributes: new Uint8Array(8),
      tdAttributes: Uint8Array.of(0, 0, 0, 0x10, 1, 2, 3, 4),
      xfam: bytes(8, 10),
      teeTcbSvn: Uint8Array.of(5, 1, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    };
    const platform = { tee: "tdx", quoteVersion: 5, tdReport: "1.5" } as const;
    const claims = await claimsOf({ tee: "tdx", ...measurements }, platform);
    expect(claims?.measurements).toEqual(measurements);
  });

  test("of an SNP guest on Genoa", async () => {
    const measurements = {
      measurement: bytes(48, 1),
      hostData: bytes(32, 2),
      idKeyDigest: bytes(48, 3),
      authorKeyDigest: bytes(48, 4),
      familyId: bytes(16, 5),
      imageId: bytes(16, 6),
      guestSvn: 0x01020304,
      policy: 0x3_0205n,
      vmpl: 2,
      reportId: bytes(32, 7),
    };
    const tcb = { bootloader: 9, tee: 3, snp: 21, microcode: 84 };
    const platform = { tee: "sev-snp", product: "Genoa", reportVersion: 5, tcb } as const;
    const claims = await claimsOf({ tee: "sev-snp", ...measurements }, platform);
    expect(claims?.measurements).toEqual(measurements);
    expect(claims?.tee === "sev-snp" && claims.platform).toMatchObject({
      product: "Genoa",
      signingKey: "vcek",
      currentTcb: tcb,
      reportedTcb: tcb,
      committedTcb: tcb,
      launchTcb: tcb,
      revocationChecked: true,
    });
  });
});

describe("a machine", () => {
  test("is the same in every process of an installation", async () => {
    const evidence = await simulatedAttester({ root, measurement: { tee: "sgx" } }).attest(
      TEST_REPORT_DATA,
    );
    const endorsements = await simulatedEndorsements({
      root,
      platform: { tee: "sgx" },
      nowMs: TEST_NOW_MS,
    });
    const { by, claims } = await judge({ evidence, endorsements, before: endorsements });
    expect(by).toBe("nobody");
    const again = await present({ root, platform: { tee: "sgx" } });
    expect((await judge(again)).claims).toMatchObject({ platform: platformOf(claims) });
  });

  test("of another name has other identifiers", async () => {
    const of = async (machine: string, tee: "sgx" | "sev-snp") =>
      platformOf((await judge(await present({ root, platform: { tee, machine } }))).claims);
    expect(await of("a", "sgx")).not.toMatchObject({ ppid: (await of("b", "sgx")).ppid });
    expect(await of("a", "sev-snp")).not.toMatchObject({
      chipId: (await of("b", "sev-snp")).chipId,
    });
  });

  test("whose PCK is revoked does not take others under the same CA with it", async () => {
    const knobs = { faults: { certificates: { pck: "revoked" } } } as const;
    const [bad, good] = [{ machine: "bad" }, { machine: "good" }].map((names) => ({
      ...names,
      tee: "sgx" as const,
    }));
    const { endorsements, before } = await present({ root, platform: bad!, knobs });
    const other = await present({ root, platform: good! });
    if (endorsements.kind !== "dcap" || before.kind !== "dcap") throw new Error("collateral");
    const { pckCrl } = endorsements.collateral;
    const served = { ...before, collateral: { ...before.collateral, pckCrl } };
    expect((await judge({ ...other, endorsements: served })).codes).toEqual([]);
    const itself = await present({ root, platform: bad! });
    expect((await judge({ ...itself, endorsements: served })).codes).toEqual(["pck-revoked"]);
  });
});

test.each(TCB_STATUSES)("a platform that is %s is reported so, with advisories", async (status) => {
  const advisories = ["INTEL-SA-00289", "INTEL-SA-00615"];
  const knobs = { tcb: { levels: [{ ahead: 0, status, advisories }] } };
  const tee = simulatedTee({ root, platform: { tee: "tdx" }, knobs });
  const evidence = await tee.attester({ tee: "tdx" }).attest(TEST_REPORT_DATA);
  const endorsements = await tee.endorsements(TEST_NOW_MS);
  const { claims } = await judge({ evidence, endorsements, before: endorsements });
  const seen = claims?.tee === "tdx" ? claims.tcb : undefined;
  expect(seen).toMatchObject({ status, platformStatus: status, advisories });
});

test("an attester says that it is simulated, whatever it imitates", () => {
  for (const tee of ["sgx", "tdx", "sev-snp"] as const) {
    expect(simulatedAttester({ root, measurement: { tee } }).kind).toBe("simulated");
  }
});

test("each quote is signed anew over its own report data", async () => {
  const attester = simulatedAttester({ root, measurement: { tee: "sgx" } });
  const [one, two] = await Promise.all([
    attester.attest(TEST_REPORT_DATA),
    attester.attest(TEST_REPORT_DATA),
  ]);
  expect(one.bytes).not.toEqual(two.bytes);
  expect(parseQuote(one.bytes).toBeSigned).toEqual(parseQuote(two.bytes).toBeSigned);
});

test.each([63, 65, 0])("report data of %i bytes is a broken invariant", async (length) => {
  const attester = simulatedAttester({ root, measurement: { tee: "sgx" } });
  await expect(attester.attest(new Uint8Array(length))).rejects.toThrow("64 bytes");
});

test("endorsements of any day of seven years are good on that day", async () => {
  const tee = simulatedTee({ root, platform: { tee: "sgx" } });
  const last = (root.createdAtMs + 7 * 364 * 24 * 60 * 60 * 1000) as UnixMs;
  const endorsements = await tee.endorsements(last);
  expect(endorsements.kind === "dcap" && endorsements.collateral.tcbInfo).toContain("2033-");
});

describe("measureCode", () => {
  const files = [bytes(3, 1), bytes(5, 2)];

  test("is determined by the files, their order and their borders", () => {
    const digest = (given: readonly Uint8Array[]) => JSON.stringify(measureCode("sgx", given));
    const whole = Buffer.concat(files);
    const digests = [files, [...files].reverse(), [whole], [...files, new Uint8Array()], []];
    expect(new Set(digests.map(digest)).size).toBe(5);
    expect(digest(files)).toBe(digest(files.map((file) => file.slice())));
  });

  test.each([
    ["sgx", "mrEnclave", 32],
    ["tdx", "mrTd", 48],
    ["sev-snp", "measurement", 48],
  ] as const)("gives %s a %s of %i bytes", (tee, field, length) => {
    const measured: Readonly<Record<string, unknown>> = measureCode(tee, files);
    expect(measured[field]).toHaveLength(length);
  });
});

function platformOf(claims: Awaited<ReturnType<typeof judge>>["claims"]) {
  if (claims === undefined) throw new Error("not genuine");
  return claims.platform as Readonly<Record<string, unknown>>;
}
