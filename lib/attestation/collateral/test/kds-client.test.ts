import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemRandomness } from "../../../base/randomness.ts";
import type { SnpTcb } from "../../evidence/snp-tcb.ts";
import { hasTestdata, readTestdata } from "../../testing/testdata.ts";
import type { CollateralError } from "../collateral-error.ts";
import { type SnpPlatformKey, snpEndorsements } from "../collateral-source.ts";
import { httpGet } from "../http-get.ts";
import { kdsClient, vcekPath } from "../kds-client.ts";
import { withRetries } from "../retry.ts";
import { sampleCertificate, sampleCrl, samplePem } from "../testing/sample-collateral.ts";
import { skippingClock } from "../testing/skipping-clock.ts";
import { startVendorServer, type VendorServer } from "../testing/vendor-server.ts";

const CHIP = Uint8Array.from({ length: 64 }, (_, index) => index);
const TCB: SnpTcb = { bootloader: 3, tee: 0, snp: 8, microcode: 115 };
const MILAN: SnpPlatformKey = { product: "Milan", chipId: CHIP, reportedTcb: TCB };
const VCEK_PATH = `/vcek/v1/Milan/${Buffer.from(CHIP).toString("hex")}`;
const VCEK = sampleCertificate("SEV-VCEK");

let server: VendorServer;
beforeEach(async () => {
  server = await startVendorServer();
  server.reply(VCEK_PATH, { body: VCEK });
  for (const kind of ["vcek", "vlek"]) {
    server.reply(`/${kind}/v1/Milan/cert_chain`, { body: samplePem(`SEV-${kind}`, "ARK-Milan") });
    server.reply(`/${kind}/v1/Milan/crl`, { body: sampleCrl(5) });
  }
});
afterEach(() => server.close());

function client() {
  const clock = skippingClock();
  const get = withRetries(httpGet(clock), clock, systemRandomness);
  return { clock, ...kdsClient({ baseUrl: server.url }, get) };
}
const failure = (asked: Promise<unknown>): Promise<CollateralError> =>
  asked.then(
    () => expect.unreachable("an answer was taken"),
    (error: CollateralError) => error,
  );

test.each<[string, Partial<SnpPlatformKey>, string]>([
  ["Milan", {}, `${VCEK_PATH.slice(1)}?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115`],
  [
    "Genoa",
    { product: "Genoa" },
    `${VCEK_PATH.slice(1).replace("Milan", "Genoa")}?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115`,
  ],
  [
    "Turin, by eight bytes and with its FMC",
    { product: "Turin", reportedTcb: { ...TCB, fmc: 1 } },
    "vcek/v1/Turin/0001020304050607?fmcSPL=01&blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115",
  ],
])("a chip is named as AMD names it: %s", (_product, changes, path) => {
  expect(vcekPath({ ...MILAN, ...changes })).toBe(path);
});

test("a Turin chip without the level of its FMC is a bug of ours", () => {
  expect(() => vcekPath({ ...MILAN, product: "Turin" })).toThrow(/invariant/);
});

test("everything a report needs is asked for: certificate, chain, revocation list", async () => {
  const given = await snpEndorsements(client(), MILAN);
  expect(given.leaf).toEqual(VCEK);
  expect(given.chain).toEqual([sampleCertificate("SEV-vcek"), sampleCertificate("ARK-Milan")]);
  expect(given.crl).toEqual(sampleCrl(5));
  expect([...server.requests].sort()).toEqual([
    `${VCEK_PATH}?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115`,
    "/vcek/v1/Milan/cert_chain",
    "/vcek/v1/Milan/crl",
  ]);
});

test("a VLEK has a chain of its own", async () => {
  const { chain } = await client().snpAuthority({ product: "Milan", signingKey: "vlek" });
  expect(chain[0]).toEqual(sampleCertificate("SEV-vlek"));
});

test("a masked chip is not asked for; the message says whose certificate to use", async () => {
  const error = await failure(client().vcek({ ...MILAN, chipId: new Uint8Array(64) }));
  expect(error.code).toBe("unknown-platform");
  expect(error.message).toMatch(/names no chip.*have the host give the certificate/);
  expect(server.requests).toEqual([]);
});

test("a chip that AMD does not know is named with its levels", async () => {
  server.reply(VCEK_PATH, { status: 404 });
  const error = await failure(client().vcek(MILAN));
  expect(error.code).toBe("unknown-platform");
  expect(error.message).toMatch(
    /^VCEK of Milan chip 0001020304050607… at 3\.0\.8\.115: AMD's KDS \(127.*\) does not have it/,
  );
});

test("429 is waited out as AMD says, then reported with the time to come back", async () => {
  server.reply(VCEK_PATH, { status: 429, headers: { "retry-after": "10" } }, { body: VCEK });
  const patient = client();
  expect(await patient.vcek(MILAN)).toEqual(VCEK);
  expect(patient.clock.waitsMs).toEqual([10_000]);

  server.reply(VCEK_PATH, { status: 429, headers: { "retry-after": "600" } });
  const error = await failure(client().vcek(MILAN));
  expect(error.code).toBe("rate-limited");
  expect(error.retryAtMs).toBe(Date.UTC(2026, 0, 1, 0, 10));
  expect(error.message).toMatch(
    /^VCEK of Milan chip 0001020304050607… at 3\.0\.8\.115: .*ask again after 2026-01-01T00:10:00Z, and keep a cache folder/,
  );
});

test.each<[string, string, Parameters<VendorServer["reply"]>[1]]>([
  ["a certificate with a byte behind it", VCEK_PATH, { body: Buffer.concat([VCEK, VCEK]) }],
  ["PEM where DER belongs", VCEK_PATH, { body: samplePem("SEV-VCEK") }],
  ["one certificate for a chain", "/vcek/v1/Milan/cert_chain", { body: samplePem("ASK") }],
  ["three of them", "/vcek/v1/Milan/cert_chain", { body: samplePem("A", "B", "C") }],
  ["a page for a list", "/vcek/v1/Milan/crl", { body: "<html>" }],
])("%s is a bad response", async (_what, path, reply) => {
  server.reply(path, reply);
  expect((await failure(snpEndorsements(client(), MILAN))).code).toBe("bad-response");
});

describe.skipIf(!hasTestdata)("with AMD's own documents (shared/testdata)", () => {
  test("a Milan and a Turin certificate and their chains pass through unchanged", async () => {
    const vcek = readTestdata("snp/milan-v2-virtee-vcek.der");
    server.reply(VCEK_PATH, { body: vcek });
    server.reply("/vcek/v1/Turin/0001020304050607", { body: readTestdata("snp/turin-vcek.der") });
    server.reply("/vcek/v1/Turin/cert_chain", { body: readTestdata("snp/turin-ask-ark.pem") });
    server.reply("/vcek/v1/Turin/crl", { body: sampleCrl(1) });
    expect(await client().vcek(MILAN)).toEqual(vcek);
    const turin = { ...MILAN, product: "Turin", reportedTcb: { ...TCB, fmc: 1 } } as const;
    const given = await snpEndorsements(client(), turin);
    expect(given.leaf).toEqual(readTestdata("snp/turin-vcek.der"));
    expect(given.chain).toHaveLength(2);
  });
});
