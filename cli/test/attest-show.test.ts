/** What `fedclave attest show` and `simulate` say and write. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KNOBS } from "../../lib/attestation/attester/simulated/knobs/knobs.ts";
import { GOOD_PLANS, issue, named } from "../../lib/attestation/testing/intel-chain.ts";
import { runCommand } from "../testing/captured-output.ts";

/** Anything but line ends that a terminal might obey. */
const CONTROL = /[^\P{Cc}\n]/u;

let directory: string;
const at = (name: string): string => path.join(directory, name);
const attest = (...args: readonly string[]) => runCommand(["attest", ...args]);
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "fedclave-show-"));
  for (const tee of ["sgx", "tdx", "sev-snp"]) {
    expect(await attest("simulate", "--out", at(tee), "--tee", tee)).toMatchObject({ status: 0 });
  }
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe("show", () => {
  test.each<[string, readonly string[]]>([
    ["sgx/quote.bin", ["SGX quote, version 3", "MRENCLAVE:", "platform CA", "report data:"]],
    ["tdx/quote.bin", ["TDX quote, version 4", "MRTD:", "RTMR3:", "TDATTRIBUTES:"]],
    ["sev-snp/report.bin", ["SEV-SNP report, version 3", "Milan", "guest policy:", "chip id:"]],
    ["sgx/ra-tls.pem", ["RA-TLS certificate, SGX quote", "TCG DICE evidence", "ec-p256"]],
  ])("says what %s holds, and that nobody has verified it", async (file, parts) => {
    const run = await attest("show", at(file));
    expect(run.status).toBe(0);
    for (const part of parts) expect(run.stdout).toContain(part);
    expect(run.stderr).toContain("Nothing of this is verified");
  });

  test.each(["sgx/quote.bin", "tdx/ra-tls.pem", "sev-snp/report.bin"])(
    "prints %s as an object by the names of verify",
    async (file) => {
      const [shown, verified] = await Promise.all(
        ["show", "verify"].map(async (word) =>
          JSON.parse((await attest(word, at(file), "--json")).stdout),
        ),
      );
      for (const name of ["evidence", "tee", "debug", "measurement", "signer", "reportData"]) {
        expect(shown[name]).toEqual(verified[name]);
      }
      expect(shown.measurements).toBeDefined();
    },
  );

  test("lists the dates of collateral, each certificate once, and says what has ended", async () => {
    const now = await attest("show", at("sgx/collateral.json"));
    const objects = now.stdout.split("\n").slice(2, -1);
    expect(objects.map((line) => line.slice(0, 26).trimEnd())).toEqual([
      "TCB info",
      "QE identity",
      "revocations by the root",
      "revocations by the PCK CA",
      "Intel SGX PCK Platform CA",
      "Intel SGX Root CA",
      "Intel SGX TCB Signing",
    ]);
    expect(now.stdout).not.toContain("ended");
    const later = await attest("show", at("sgx/collateral.json"), "--now", "2060-01-01");
    expect(later.stdout.match(/ ended$/gm)).toHaveLength(7);
    const earlier = await attest("show", at("sgx/collateral.json"), "--now", "2020-01-01");
    expect(earlier.stdout.match(/ not yet$/gm)).toHaveLength(7);
  });

  test("a stranger's certificate gives a terminal no commands", async () => {
    // Clears the screen, then says what only a verdict says.
    const name = "\u001b[2J\u009b2J\u007f\nGenuine, and accepted by the default policy.";
    const { der } = issue({ ...GOOD_PLANS.root, subject: named(name), issuer: named(name) });
    await writeFile(at("commands.der"), der);
    for (const args of [["show"], ["show", "--json"], ["verify"], ["verify", "--json"]]) {
      const { stdout, stderr } = await attest(...args, at("commands.der"));
      expect(stdout + stderr).not.toMatch(CONTROL);
      expect(stdout).not.toMatch(/^Genuine/m);
    }
    await writeFile(at("commands.json"), '{"\u009b2J\u007f":1}');
    const { status, stderr } = await attest("show", at("commands.json"));
    expect([status, stderr]).toEqual([1, expect.not.stringMatching(CONTROL)]);
  });

  test("a file that is neither is unreadable", async () => {
    await writeFile(at("bad.json"), '{"dcap":1}');
    const run = await attest("show", at("bad.json"));
    expect([run.status, run.stdout]).toEqual([1, ""]);
    expect(run.stderr).toContain(`${at("bad.json")} cannot be used: `);
  });
});

describe("simulate", () => {
  test("writes no private key, and replaces nothing", async () => {
    const files = await readdir(at("sgx"));
    expect(files.sort()).toEqual(["collateral.json", "quote.bin", "ra-tls.pem", "root.der"]);
    for (const file of files)
      expect(await readFile(path.join(at("sgx"), file), "latin1")).not.toContain("PRIVATE");
    const again = await attest("simulate", "--out", at("sgx"));
    expect(again.status).toBe(1);
    expect(again.stderr).toContain("exists and is kept");
  });

  test.each(["pck-revoked", "debug", "tcb-level-none", "bytes-after-quote"])(
    "the command it shows gets the answer it names: %s",
    async (knob) => {
      const run = await attest("simulate", "--out", at(knob), "--knob", knob, "--json");
      const { command, answer } = JSON.parse(run.stdout);
      const [, ...args] = command.split(" ");
      const verified = await runCommand([...args, "--json"]);
      const { reasons } = JSON.parse(verified.stdout);
      expect(verified.status).toBe(answer.by === "parser" ? 1 : 2);
      expect(JSON.stringify(reasons)).toContain(
        answer.by === "parser" ? "unreadable" : answer.code,
      );
    },
  );

  test("lists every knob with its answer", async () => {
    const { stdout } = await attest("simulate", "--list");
    for (const { name } of KNOBS) expect(stdout).toContain(`\n${name} `);
    const { knobs } = JSON.parse((await attest("simulate", "--list", "--json")).stdout);
    expect(knobs).toHaveLength(KNOBS.length);
  });

  test("keeps a root where it is told to, for its owner alone, and uses it again", async () => {
    const root = at("kept-root");
    for (const out of ["first", "second"]) {
      const run = await attest("simulate", "--out", at(out), "--development-root", root);
      expect(run.status).toBe(0);
    }
    expect((await stat(path.join(root, "root.json"))).mode & 0o777).toBe(0o600);
    const [first, second] = await Promise.all(
      ["first", "second"].map((out) => readFile(at(`${out}/root.der`))),
    );
    expect(first).toEqual(second);
    expect(first).not.toEqual(await readFile(at("sgx/root.der")));
  });

  test.each<[string, readonly string[], string]>([
    ["nowhere", [], "--out"],
    ["an unknown knob", ["--out", "x", "--knob", "none"], "--list"],
    ["a knob of another TEE", ["--out", "x", "--knob", "snp-vlek"], "--tee sev-snp"],
    ["an unknown TEE", ["--out", "x", "--tee", "sev"], "sgx or tdx or sev-snp"],
  ])("%s is a usage error", async (_, args, message) => {
    const run = await attest("simulate", ...args);
    expect([run.status, run.stdout]).toEqual([2, ""]);
    expect(run.stderr).toContain(message);
  });
});
