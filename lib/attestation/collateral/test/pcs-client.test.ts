import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemRandomness } from "../../../base/randomness.ts";
import { hasTestdata, readTestdataText } from "../../testing/testdata.ts";
import type { CollateralError } from "../collateral-error.ts";
import type { DcapPlatformKey } from "../collateral-source.ts";
import { httpGet } from "../http-get.ts";
import { type PcsSettings, pcsClient } from "../pcs-client.ts";
import { parseQuoteCollateral, platformOf } from "../quote-collateral.ts";
import { withRetries } from "../retry.ts";
import { type Dialect, OLD_PCCS, PCCS, PCS, serveCollateral } from "../testing/pcs-server.ts";
import { sampleCollateral, sampleCrl, samplePem } from "../testing/sample-collateral.ts";
import { skippingClock } from "../testing/skipping-clock.ts";
import { startVendorServer, testIdentity, type VendorServer } from "../testing/vendor-server.ts";

const KEY: DcapPlatformKey = { tee: "sgx", fmspc: "00a067110000", pckCa: "processor" };
const SET = sampleCollateral(KEY.fmspc);
const TCB = "/sgx/certification/v4/tcb";
const PCK_CRL = "/sgx/certification/v4/pckcrl";

let server: VendorServer;
beforeEach(async () => {
  server = await startVendorServer();
});
afterEach(() => server.close());

function client(changes: Partial<PcsSettings> = {}) {
  const clock = skippingClock();
  const get = withRetries(httpGet(clock), clock, systemRandomness);
  const base = { kind: "pccs", baseUrl: server.url, update: "standard" } as const;
  return pcsClient({ ...base, ...changes }, get);
}
const failure = (asked: Promise<unknown>): Promise<CollateralError> =>
  asked.then(
    () => expect.unreachable("collateral was given"),
    (error: CollateralError) => error,
  );

test.each<[string, Dialect, Partial<PcsSettings>]>([
  ["Intel's service", PCS, { kind: "pcs" }],
  ["a PCCS", PCCS, {}],
  ["an older PCCS", OLD_PCCS, {}],
])("a whole set comes from %s, byte for byte", async (_who, dialect, settings) => {
  serveCollateral(server, SET, dialect);
  const rootCrlUrl = `${server.url}/IntelSGXRootCA.der`;
  expect(await client({ ...settings, rootCrlUrl }).dcap(KEY)).toEqual(SET);
});

test("paths and parameters are those of version 4, for both TEEs", async () => {
  serveCollateral(server, SET, PCCS);
  await client({ update: "early" }).dcap(KEY);
  expect([...server.requests].sort()).toEqual([
    "/sgx/certification/v4/pckcrl?ca=processor&encoding=der",
    "/sgx/certification/v4/qe/identity?update=early",
    "/sgx/certification/v4/rootcacrl",
    "/sgx/certification/v4/tcb?fmspc=00A067110000&update=early",
  ]);
  await client().dcap({ ...KEY, tee: "tdx", pckCa: "platform" });
  expect(server.requests.slice(4).sort()).toEqual([
    "/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
    "/sgx/certification/v4/rootcacrl",
    "/tdx/certification/v4/qe/identity?update=standard",
    "/tdx/certification/v4/tcb?fmspc=00A067110000&update=standard",
  ]);
});

test("Intel's service is not asked for the root's list, which has its own address", async () => {
  serveCollateral(server, SET, PCS);
  await client({ kind: "pcs", rootCrlUrl: `${server.url}/IntelSGXRootCA.der` }).dcap(KEY);
  expect(server.requests).toContain("/IntelSGXRootCA.der");
  expect(server.requests).not.toContain("/sgx/certification/v4/rootcacrl");
});

test.each(["", "/", "/sgx/certification/v4", "/sgx/certification/v4/", "/sgx/certification/v3/"])(
  "the address may end in %j",
  async (ending) => {
    serveCollateral(server, SET, PCCS);
    expect(await client({ baseUrl: server.url + ending }).dcap(KEY)).toEqual(SET);
  },
);

test("a service below a path is asked below it", async () => {
  await failure(client({ baseUrl: `${server.url}/pccs/sgx/certification/v4/` }).dcap(KEY));
  expect(server.requests.every((each) => each.startsWith("/pccs/sgx/certification/v4/"))).toBe(
    true,
  );
});

test.each(["", "localhost:8081", "ftp://host", "https://user:key@host", "https://host/?key=1"])(
  "the address %j is refused",
  (baseUrl) => {
    expect(() => client({ baseUrl })).toThrow(/write it as https:\/\/host:port/);
  },
);

test("chains come in canonical PEM, whatever line ends the header had", async () => {
  serveCollateral(server, SET, PCCS);
  const crlf = SET.pckCrlIssuerChain.replaceAll("\n", "\r\n").trimEnd();
  server.reply(PCK_CRL, {
    headers: { "SGX-PCK-CRL-Issuer-Chain": encodeURIComponent(crlf) },
    body: SET.pckCrl,
  });
  expect((await client().dcap(KEY)).pckCrlIssuerChain).toBe(SET.pckCrlIssuerChain);
});

test("a revocation list in PEM is read", async () => {
  serveCollateral(server, SET, PCCS);
  const base64 = Buffer.from(SET.rootCaCrl).toString("base64");
  const pem = `-----BEGIN X509 CRL-----\n${base64}\n-----END X509 CRL-----\n`;
  server.reply("/sgx/certification/v4/rootcacrl", { body: pem });
  expect((await client().dcap(KEY)).rootCaCrl).toEqual(SET.rootCaCrl);
});

test("a self-signed PCCS is asked with its certificate configured", async () => {
  const identity = testIdentity("pccs.example");
  const secure = await startVendorServer(identity);
  serveCollateral(secure, SET, PCCS);
  const tls = { certificates: [identity.cert] };
  expect(await client({ baseUrl: secure.url, tls }).dcap(KEY)).toEqual(SET);
  expect((await failure(client({ baseUrl: secure.url }).dcap(KEY))).code).toBe("untrusted-server");
  const rootCrlUrl = `${secure.url}/IntelSGXRootCA.der`;
  const proxied = client({ kind: "pcs", baseUrl: secure.url, rootCrlUrl, tls });
  expect(await proxied.dcap(KEY)).toEqual(SET);
  await secure.close();
});

test("a platform that is not known is named, with what to do", async () => {
  serveCollateral(server, SET, PCCS);
  for (const status of [404, 461]) {
    server.reply(TCB, { status });
    const error = await failure(client().dcap(KEY));
    expect(error.code).toBe("unknown-platform");
    expect(error.message).toMatch(
      /^TCB info of SGX platform 00a067110000 \(processor CA\): the PCCS \(127.*\) does not have it.*must be given this platform first$/,
    );
  }
});

test.each<[number, string, RegExp]>([
  [301, "bad-response", /redirects are not followed: configure the address/],
  [400, "bad-response", /answered 400; check that the address/],
  [401, "bad-response", /it wants credentials/],
  [403, "bad-response", /it wants credentials/],
  [410, "not-served", /no longer serves it \(410\); upgrade the cache/],
  [429, "rate-limited", /is asked too often; ask again in some minutes/],
  [500, "unreachable", /is in trouble \(status 500\); try later, or use a bundle file/],
  [502, "unreachable", /is in trouble/],
])("status %i of the TCB info is %s", async (status, code, message) => {
  serveCollateral(server, SET, PCCS);
  server.reply(TCB, { status });
  const error = await failure(client().dcap(KEY));
  expect({ code: error.code }).toEqual({ code });
  expect(error.message).toMatch(message);
  expect(error.message).toMatch(/^TCB info of SGX platform 00a067110000/);
});

test.each([
  ["/sgx/certification/v4/rootcacrl", /^revocation list of the Intel SGX Root CA/],
  [PCK_CRL, /^revocation list of the PCK processor CA/],
  ["/sgx/certification/v4/qe/identity", /^identity of Intel's SGX quoting enclave/],
])("404 for %s says that the service does not have it", async (path, message) => {
  serveCollateral(server, SET, PCCS);
  server.reply(path, { status: 404 });
  const error = await failure(client().dcap(KEY));
  expect(error.code).toBe("not-served");
  expect(error.message).toMatch(message);
});

test("one bad minute of a service is outlived", async () => {
  serveCollateral(server, SET, PCCS);
  server.reply(
    "/sgx/certification/v4/rootcacrl",
    { status: 503 },
    (response) => response.destroy(),
    { status: 429, headers: { "retry-after": "3" } },
    { body: SET.rootCaCrl },
  );
  expect(await client().dcap(KEY)).toEqual(SET);
});

const chainOf = (pem: string) => ({ "TCB-Info-Issuer-Chain": encodeURIComponent(pem) });
test.each<[string, string, Parameters<VendorServer["reply"]>[1]]>([
  ["a login page", TCB, { headers: chainOf(samplePem("a", "b")), body: "<html>" }],
  ["no issuer chain", TCB, { body: `{"tcbInfo":{},"signature":"${"00".repeat(64)}"}` }],
  ["a chain that is not percent-encoded", TCB, { headers: { "TCB-Info-Issuer-Chain": "%zz" } }],
  ["a chain without certificates", PCK_CRL, { body: sampleCrl(1) }],
  ["no revocation list", PCK_CRL, { body: "" }],
  ["a cut revocation list", PCK_CRL, { body: sampleCrl(1).subarray(0, 100) }],
  ["hex of something else", PCK_CRL, { body: "00ff" }],
])("%s is a bad response", async (_what, path, reply) => {
  serveCollateral(server, SET, PCCS);
  server.reply(path, reply);
  const error = await failure(client().dcap(KEY));
  expect(error.code).toBe("bad-response");
  expect(error.message).toMatch(/did not answer with it \(.+\); check that the address/);
});

describe.skipIf(!hasTestdata)("with Intel's own documents (shared/testdata)", () => {
  test.each([
    "sgx-00a067110000-2025-06",
    "sgx-00906ed50000-2025-05-tcbv2",
    "tdx-90c06f000000-2026-02",
  ])("%s passes through unchanged", async (name) => {
    const collateral = parseQuoteCollateral(readTestdataText(`collateral/${name}.json`));
    serveCollateral(server, collateral, PCCS);
    expect(await client().dcap(platformOf(collateral))).toEqual(collateral);
  });
});
