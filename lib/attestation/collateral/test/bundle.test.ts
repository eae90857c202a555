import { readdirSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { utf8 } from "../../../base/bytes.ts";
import { EvidenceError } from "../../evidence-error.ts";
import { hasTestdata, readTestdata, testdataPath } from "../../testing/testdata.ts";
import { bundleSource, type CollateralBundle, EMPTY_BUNDLE, mergeBundles } from "../bundle.ts";
import { parseBundle, readCollateralFile, writeBundle } from "../bundle-file.ts";
import type { CollateralError } from "../collateral-error.ts";
import { platformOf, writeQuoteCollateral } from "../quote-collateral.ts";
import { sampleCertificate, sampleCollateral, sampleCrl } from "../testing/sample-collateral.ts";

const SGX = { tee: "sgx", fmspc: "00906ed50000", pckCa: "processor" } as const;
const TDX = { tee: "tdx", fmspc: "90c06f000000", pckCa: "platform" } as const;
const CHIP = {
  product: "Milan",
  chipId: new Uint8Array(64).fill(9),
  reportedTcb: { bootloader: 4, tee: 0, snp: 24, microcode: 219 },
} as const;
const TURIN = {
  ...CHIP,
  product: "Turin",
  reportedTcb: { fmc: 1, bootloader: 4, tee: 0, snp: 24, microcode: 219 },
} as const;
const MILAN = { product: "Milan", signingKey: "vcek" } as const;
const AUTHORITY = { chain: [sampleCertificate("ASK"), sampleCertificate("ARK")] };

const full: CollateralBundle = {
  dcap: [
    { key: SGX, collateral: sampleCollateral(SGX.fmspc) },
    {
      key: TDX,
      collateral: { ...sampleCollateral(TDX.fmspc, "TDX"), pckCertificateChain: "PEM" },
    },
  ],
  vceks: [
    { key: CHIP, certificate: sampleCertificate("VCEK") },
    { key: TURIN, certificate: sampleCertificate("VCEK of Turin") },
  ],
  snpAuthorities: [
    { key: MILAN, authority: { ...AUTHORITY, crl: sampleCrl(3) } },
    { key: { ...MILAN, signingKey: "vlek" }, authority: AUTHORITY },
  ],
};
const file = Buffer.from(writeBundle(full)).toString();

test("a bundle comes back as it was written", () => {
  expect(parseBundle(writeBundle(full))).toEqual(full);
  expect(parseBundle(writeBundle(EMPTY_BUNDLE))).toEqual(EMPTY_BUNDLE);
  expect(readCollateralFile(writeBundle(full))).toEqual({ kind: "bundle", bundle: full });
});

test("equal contents are equal files, in whatever order they were gathered", () => {
  const [sgx, tdx] = full.dcap;
  const backwards = mergeBundles(
    { ...full, dcap: [tdx!], snpAuthorities: [...full.snpAuthorities].reverse() },
    { ...EMPTY_BUNDLE, dcap: [sgx!] },
  );
  expect(writeBundle(backwards)).toEqual(writeBundle(full));
});

test("what is merged later stands in for what was there", () => {
  const newer = { key: SGX, collateral: { ...sampleCollateral(SGX.fmspc), tcbInfo: "newer" } };
  const { dcap } = mergeBundles(full, { ...EMPTY_BUNDLE, dcap: [newer] });
  expect(dcap).toHaveLength(2);
  expect(dcap[0]?.collateral.tcbInfo).toBe("newer");
});

test("a source gives what the bundle holds", async () => {
  const source = bundleSource(full, "endorsements.json");
  expect(await source.dcap(TDX)).toBe(full.dcap[1]?.collateral);
  expect(await source.vcek({ ...CHIP, chipId: CHIP.chipId.slice() })).toBe(
    full.vceks[0]?.certificate,
  );
  expect(await source.snpAuthority(MILAN)).toBe(full.snpAuthorities[0]?.authority);
});

test.each([
  ["another platform", () => source.dcap({ ...SGX, fmspc: "00a067110000" }), /SGX platform 00a067/],
  ["another TEE", () => source.dcap({ ...SGX, tee: "tdx" }), /TDX platform 00906ed50000/],
  ["another CA", () => source.dcap({ ...SGX, pckCa: "platform" }), /\(platform CA\)/],
  [
    "another level of a chip",
    () => source.vcek({ ...CHIP, reportedTcb: { ...CHIP.reportedTcb, snp: 23 } }),
    /Milan chip 0909090909090909… at 4\.0\.23\.219/,
  ],
  ["another product", () => source.snpAuthority({ ...MILAN, product: "Genoa" }), /Genoa VCEK/],
])("%s is not in the bundle, and the message says where to get it", async (_what, ask, message) => {
  const error: CollateralError = await ask().then(
    () => expect.unreachable("something was given"),
    (thrown) => thrown,
  );
  expect(error.code).toBe("not-in-bundle");
  expect(error.message).toMatch(message);
  expect(error.message).toMatch(/not in endorsements\.json; .*`fedclave attest fetch`/);
});
const source = bundleSource(full, "endorsements.json");

type Lists = Record<"dcap" | "snpAuthorities", { chain: unknown[] }[]>;
const edited = (change: (value: Lists) => void): string => {
  const value = JSON.parse(file);
  change(value);
  return JSON.stringify(value);
};
test.each([
  ["another kind", file.replace("fedclave/collateral", "fedclave/manifest")],
  ["a newer version", file.replace('"version":1', '"version":2')],
  ["white space", file.replace(",", ", ")],
  ["an unknown key", edited((value) => Object.assign(value, { zzz: 1 }))],
  ["a missing key", file.replace(/,"vceks":.*\}\]/, "")],
  [
    "an entry that stands twice",
    file.replace('{"dcap":[', `{"dcap":[${JSON.stringify(JSON.parse(file).dcap[0])},`),
  ],
  ["entries out of order", edited(({ dcap }) => dcap.reverse())],
  ["hex in upper case", file.replace('"fmspc":"90c06f000000"', '"fmspc":"90C06F000000"')],
  ["a short chip id", file.replace("0909", "")],
  ["a level past a byte", file.replace('"snp":24', '"snp":256')],
  ["bad base64", file.replace('"rootCaCrl":"M', '"rootCaCrl":"*')],
  ["a chain of one", edited(({ snpAuthorities }) => snpAuthorities[0]?.chain.pop())],
  ["nothing", ""],
  ["an array", "[]"],
])("%s is refused", (_what, text) => {
  const malformed = expect.objectContaining({ code: "malformed-collateral" });
  expect(() => parseBundle(utf8(text))).toThrow(malformed);
});

test("a file that is cut at any byte is refused", () => {
  const bytes = writeBundle({ ...EMPTY_BUNDLE, snpAuthorities: full.snpAuthorities.slice(1) });
  for (let end = 0; end < bytes.byteLength; end += 1) {
    expect(() => readCollateralFile(bytes.subarray(0, end))).toThrow(EvidenceError);
  }
});

test("no text whatever makes a reader fail in another way", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(() => readCollateralFile(utf8(text))).toThrow(EvidenceError);
    }),
  );
});

test("the layout of other tools is read and written", () => {
  const collateral = full.dcap[1]!.collateral;
  const text = writeQuoteCollateral(collateral);
  expect(readCollateralFile(utf8(text))).toEqual({ kind: "set", collateral });
  const shouted = text.replace(/"[0-9a-f]{100,}"/g, (hex) => hex.toUpperCase());
  expect(readCollateralFile(utf8(shouted))).toEqual({ kind: "set", collateral });
  expect(platformOf(full.dcap[0]!.collateral)).toEqual(SGX);
});

describe.skipIf(!hasTestdata)("with real sets (shared/testdata)", () => {
  const names = hasTestdata
    ? readdirSync(testdataPath("collateral")).filter((name) => name.endsWith(".json"))
    : [];
  test.each(names)("%s is read, named for its platform, and survives a bundle", (name) => {
    const read = readCollateralFile(readTestdata(`collateral/${name}`));
    if (read.kind !== "set") return expect.unreachable("one set");
    const key = platformOf(read.collateral);
    expect(name).toMatch(new RegExp(`^${key.tee}-${key.fmspc}-`));
    const bundle = { ...EMPTY_BUNDLE, dcap: [{ key, collateral: read.collateral }] };
    expect(parseBundle(writeBundle(bundle))).toEqual(bundle);
  });

  test("a set that brings its own PCK chain keeps it", () => {
    const read = readCollateralFile(readTestdata("testroot/intelqvl-collateral.json"));
    expect(read.kind === "set" && read.collateral.pckCertificateChain).toMatch(/^-----BEGIN/);
  });
});
