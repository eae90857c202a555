/** `fedclave attest fetch` against services on loopback. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { vcekPath } from "../../lib/attestation/collateral/kds-client.ts";
import { parseQuoteCollateral } from "../../lib/attestation/collateral/quote-collateral.ts";
import { PCCS, serveCollateral } from "../../lib/attestation/collateral/testing/pcs-server.ts";
import {
  startVendorServer,
  testIdentity,
  type VendorServer,
} from "../../lib/attestation/collateral/testing/vendor-server.ts";
import { parseSnpReport } from "../../lib/attestation/evidence/snp-report.ts";
import { readTcb } from "../../lib/attestation/evidence/snp-tcb.ts";
import { runCommand } from "../testing/captured-output.ts";

let directory: string;
let server: VendorServer;
const at = (name: string): string => path.join(directory, name);
const attest = (...args: readonly string[]) => runCommand(["attest", ...args]);
const collateralOf = async (name: string) =>
  parseQuoteCollateral(await readFile(at(`${name}/collateral.json`), "utf8"));

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "fedclave-fetch-"));
  const simulate = async (out: string, ...args: readonly string[]) => {
    const given = ["--out", at(out), "--development-root", at("root")];
    expect(await attest("simulate", ...given, ...args)).toMatchObject({ status: 0 });
  };
  for (const tee of ["sgx", "tdx", "sev-snp"]) await simulate(tee, "--tee", tee);
  await simulate("expired", "--knob", "tcb-info-expired");
});
afterAll(() => rm(directory, { recursive: true, force: true }));
beforeEach(async () => {
  server = await startVendorServer();
});
afterEach(() => server.close());

const fetchDcap = (tee: string, out: string, ...more: readonly string[]) =>
  attest(
    ...["fetch", at(`${tee}/quote.bin`), "--pccs", server.url, "--out", at(out)],
    ...["--root", at("sgx/root.der"), ...more],
  );

test("what is fetched for two platforms stands in one file, and verifies both offline", async () => {
  for (const tee of ["sgx", "tdx"]) {
    serveCollateral(server, await collateralOf(tee), PCCS);
    const run = await fetchDcap(tee, "both.json");
    expect(run).toMatchObject({ status: 0, stderr: "" });
    expect(run.stdout).toMatch(
      new RegExp(`^Added to .*: ${tee.toUpperCase()} platform [0-9a-f]{12}`),
    );
  }
  await server.close();
  for (const tee of ["sgx", "tdx"]) {
    for (const evidence of ["quote.bin", "ra-tls.pem"]) {
      const given = ["--collateral", at("both.json"), "--root", at("sgx/root.der")];
      const run = await attest("verify", at(`${tee}/${evidence}`), ...given);
      expect([run.status, run.stderr]).toEqual([0, ""]);
    }
  }
  const shown = await attest("show", at("both.json"));
  expect(shown.stdout).toMatch(/^SGX platform [\s\S]*\n\nTDX platform /);
  server = await startVendorServer();
});

test("an SNP report gets certificate, chain and list, and verifies with them", async () => {
  const report = parseSnpReport(new Uint8Array(await readFile(at("sev-snp/report.bin"))));
  const key = {
    product: "Milan",
    chipId: report.chipId,
    reportedTcb: readTcb(report.reportedTcb, "Milan"),
  } as const;
  server.reply(`/${vcekPath(key).split("?")[0]}`, { body: await readFile(at("sev-snp/leaf.der")) });
  server.reply("/vcek/v1/Milan/cert_chain", { body: await readFile(at("sev-snp/chain.pem")) });
  server.reply("/vcek/v1/Milan/crl", { body: await readFile(at("sev-snp/crl.der")) });
  const root = ["--root", at("sev-snp/root.der")];
  const given = ["--kds", server.url, "--out", at("snp.json"), ...root, "--json"];
  const run = await attest("fetch", at("sev-snp/report.bin"), ...given);
  expect(run).toMatchObject({ status: 0, stderr: "" });
  expect(JSON.parse(run.stdout).fetched).toHaveLength(2);
  const verified = await attest(
    "verify",
    at("sev-snp/report.bin"),
    "--collateral",
    at("snp.json"),
    ...root,
  );
  expect(verified).toMatchObject({ status: 0, stderr: "" });
});

test("a PCCS with a certificate of its own is believed by that certificate only", async () => {
  const identity = testIdentity("localhost");
  const secured = await startVendorServer(identity);
  try {
    serveCollateral(secured, await collateralOf("sgx"), PCCS);
    await writeFile(at("pccs.pem"), identity.cert);
    const url = secured.url.replace("127.0.0.1", "localhost");
    const given = ["fetch", at("sgx/quote.bin"), "--pccs", url, "--root", at("sgx/root.der")];
    const strange = await attest(...given, "--out", at("strange.json"));
    expect(strange.status).toBe(1);
    expect(strange.stderr).toContain("is not trusted");
    const known = await attest(...given, "--out", at("known.json"), "--tls-ca", at("pccs.pem"));
    expect(known).toMatchObject({ status: 0, stderr: "" });
  } finally {
    await secured.close();
  }
});

test("collateral that does not hold is not kept", async () => {
  serveCollateral(server, await collateralOf("expired"), PCCS);
  const run = await fetchDcap("sgx", "expired.json");
  expect([run.status, run.stdout]).toEqual([1, ""]);
  expect(run.stderr).toContain("tcb-info-expired");
  await expect(readFile(at("expired.json"))).rejects.toThrow();
});

test("a platform that the cache does not know is named", async () => {
  const run = await fetchDcap("sgx", "unknown.json");
  expect(run.status).toBe(1);
  expect(run.stderr).toMatch(/^fedclave: .* does not have it \(404\)/);
});

test("a file that is no bundle is kept", async () => {
  serveCollateral(server, await collateralOf("sgx"), PCCS);
  await writeFile(at("notes.txt"), "mine");
  const run = await fetchDcap("sgx", "notes.txt");
  expect(run.status).toBe(1);
  expect(await readFile(at("notes.txt"), "utf8")).toBe("mine");
  expect(server.requests).toEqual([]);
});

test("a quote that does not name its platform by a chain cannot be asked for", async () => {
  const given = ["--knob", "pck-chain-elsewhere", "--out", at("unnamed")];
  await attest("simulate", ...given, "--development-root", at("root"));
  const run = await fetchDcap("unnamed", "unnamed.json");
  expect(run.status).toBe(2);
  expect(run.stderr).toContain("does not name its platform");
});
