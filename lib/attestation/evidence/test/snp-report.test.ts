import { describe, expect, test } from "vitest";
import { toHex } from "../../../base/bytes.ts";
import { hasTestdata, readTestdata, readTestdataText } from "../../testing/testdata.ts";
import { parseSnpReport, SNP_REPORT_BYTES } from "../snp-report.ts";
import { productOfCpu, productOfReport, readTcb } from "../snp-tcb.ts";

/** A report in which every byte tells its place, but for its version. */
function counting(version: number): Uint8Array {
  const bytes = Uint8Array.from({ length: SNP_REPORT_BYTES }, (_, index) => (index * 7) & 0xff);
  bytes.set([version, 0, 0, 0]);
  return bytes;
}

const failure = (run: () => unknown): unknown => {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe("refused as unreadable", () => {
  test.each([
    ["nothing", new Uint8Array()],
    ["one byte too few", counting(3).subarray(1)],
    ["one byte too many", new Uint8Array(SNP_REPORT_BYTES + 1).fill(2, 0, 1)],
    ["version 0", counting(0)],
    ["version 1", counting(1)],
    ["version 6", counting(6)],
    ["version 0x01000002", counting(2).fill(1, 3, 4)],
  ])("%s", (_, bytes) => {
    expect(failure(() => parseSnpReport(bytes))).toMatchObject({ code: "malformed-snp-report" });
  });

  test("a report cut at any byte", () => {
    const whole = counting(5);
    for (let length = 0; length < whole.byteLength; length += 1) {
      expect(() => parseSnpReport(whole.subarray(0, length))).toThrow("1184 bytes");
    }
  });
});

describe("fields stand where the ABI puts them", () => {
  const bytes = counting(5);
  const hex = (offset: number, length: number) => toHex(bytes.subarray(offset, offset + length));
  const little = (offset: number, length: number) =>
    BigInt(`0x${toHex(bytes.slice(offset, offset + length).reverse())}`);
  const report = parseSnpReport(bytes);

  test("byte strings", () => {
    const { measurements } = report;
    expect({
      reportData: toHex(report.reportData),
      familyId: toHex(measurements.familyId),
      imageId: toHex(measurements.imageId),
      measurement: toHex(measurements.measurement),
      hostData: toHex(measurements.hostData),
      idKeyDigest: toHex(measurements.idKeyDigest),
      authorKeyDigest: toHex(measurements.authorKeyDigest),
      reportId: toHex(measurements.reportId),
      migrationAgentReportId: toHex(report.migrationAgentReportId),
      currentTcb: toHex(report.currentTcb),
      reportedTcb: toHex(report.reportedTcb),
      committedTcb: toHex(report.committedTcb),
      launchTcb: toHex(report.launchTcb),
      chipId: toHex(report.chipId),
      signedBytes: toHex(report.signedBytes),
      signature: toHex(report.signature),
    }).toEqual({
      familyId: hex(0x10, 16),
      imageId: hex(0x20, 16),
      currentTcb: hex(0x38, 8),
      reportData: hex(0x50, 64),
      measurement: hex(0x90, 48),
      hostData: hex(0xc0, 32),
      idKeyDigest: hex(0xe0, 48),
      authorKeyDigest: hex(0x110, 48),
      reportId: hex(0x140, 32),
      migrationAgentReportId: hex(0x160, 32),
      reportedTcb: hex(0x180, 8),
      chipId: hex(0x1a0, 64),
      committedTcb: hex(0x1e0, 8),
      launchTcb: hex(0x1f0, 8),
      signedBytes: hex(0, 672),
      signature: hex(672, 512),
    });
  });

  test("numbers", () => {
    expect(BigInt(report.measurements.guestSvn)).toBe(little(0x04, 4));
    expect(report.measurements.policy).toBe(little(0x08, 8));
    expect(BigInt(report.measurements.vmpl)).toBe(little(0x30, 4));
    expect(BigInt(report.signatureAlgorithm)).toBe(little(0x34, 4));
    expect(report.platformInfo).toBe(little(0x40, 8));
    expect(report.cpu).toEqual({
      family: bytes[0x188],
      model: bytes[0x189],
      stepping: bytes[0x18a],
    });
    expect(report.currentFirmware).toEqual({
      build: bytes[0x1e8],
      minor: bytes[0x1e9],
      major: bytes[0x1ea],
    });
    expect(report.committedFirmware).toEqual({
      build: bytes[0x1ec],
      minor: bytes[0x1ed],
      major: bytes[0x1ee],
    });
    expect(report.launchMitigations).toBe(little(0x1f8, 8));
    expect(report.currentMitigations).toBe(little(0x200, 8));
  });

  test.each([
    [0b00000, "vcek", false, false],
    [0b00001, "vcek", false, true],
    [0b00110, "vlek", true, false],
    [0b11100, "none", false, false],
    [0b01000, 2, false, false],
  ])("flags %i", (flags, signingKey, isChipKeyMasked, hasAuthorKey) => {
    const changed = counting(2).fill(0, 0x48, 0x4c);
    changed[0x48] = flags;
    expect(parseSnpReport(changed)).toMatchObject({ signingKey, isChipKeyMasked, hasAuthorKey });
  });
});

test("older versions have no processor, or no mitigations, whatever stands there", () => {
  const [second, third, fourth, fifth] = [2, 3, 4, 5].map((each) => parseSnpReport(counting(each)));
  expect(second).not.toHaveProperty("cpu");
  expect(third).toHaveProperty("cpu");
  expect(fourth).not.toHaveProperty("launchMitigations");
  expect(fifth).toHaveProperty("currentMitigations");
});

test("a report keeps nothing of the caller's buffer", () => {
  const bytes = Buffer.from(counting(3));
  const report = parseSnpReport(bytes);
  const before = toHex(report.reportData);
  bytes.fill(0);
  expect(toHex(report.reportData)).toBe(before);
});

test.each([
  [0x19, 0x01, "Milan"],
  [0x19, 0x0f, "Milan"],
  [0x19, 0x11, "Genoa"],
  [0x19, 0xa0, "Genoa"],
  [0x19, 0xaf, "Genoa"],
  [0x1a, 0x02, "Turin"],
  [0x1a, 0x11, "Turin"],
  [0x19, 0x20, undefined],
  [0x19, 0xb0, undefined],
  [0x1a, 0x20, undefined],
  [0x17, 0x01, undefined],
])("family %i model %i is %s", (family, model, product) => {
  expect(productOfCpu({ family, model, stepping: 1 })).toBe(product);
});

test("the bytes of a TCB_VERSION mean what the product says", () => {
  const bytes = Uint8Array.of(10, 11, 12, 13, 14, 15, 16, 17);
  const older = { bootloader: 10, tee: 11, snp: 16, microcode: 17 };
  expect(readTcb(bytes, "Milan")).toEqual(older);
  expect(readTcb(bytes, "Genoa")).toEqual(older);
  expect(readTcb(bytes, "Turin")).toEqual({
    fmc: 10,
    bootloader: 11,
    tee: 12,
    snp: 13,
    microcode: 17,
  });
});

// Needs ../shared/testdata/attestation.
describe.skipIf(!hasTestdata)("reports of real machines (needs ../shared/testdata)", () => {
  type SnpCase = Record<string, unknown> & { readonly file: string; readonly kind?: string };
  const cases = hasTestdata
    ? (JSON.parse(readTestdataText("cases.json")) as SnpCase[]).filter(
        ({ kind }) => kind === "sev-snp",
      )
    : [];

  test.each(cases.map((each) => [each.file, each] as const))("%s", (file, wanted) => {
    const report = parseSnpReport(readTestdata(file));
    const { bootloader, tee, snp, microcode } = readTcb(report.reportedTcb, "Milan");
    expect({
      reportVersion: report.version,
      policy: `0x${report.measurements.policy.toString(16)}`,
      vmpl: report.measurements.vmpl,
      guestSvn: report.measurements.guestSvn,
      measurement: toHex(report.measurements.measurement),
      reportData: toHex(report.reportData),
      hostData: toHex(report.measurements.hostData),
      chipId: toHex(report.chipId),
      reportedTcb: { bl: bootloader, tee, snp, ucode: microcode },
    }).toEqual({
      reportVersion: wanted.reportVersion,
      policy: wanted.policy,
      vmpl: wanted.vmpl,
      guestSvn: wanted.guestSvn,
      measurement: wanted.measurement,
      reportData: wanted.reportData,
      hostData: wanted.hostData,
      chipId: wanted.chipId,
      reportedTcb: wanted.reportedTcb,
    });
    expect(productOfReport(report)).toBe(report.version === 2 ? undefined : "Milan");
    expect(report.signatureAlgorithm).toBe(1);
  });
});
