/** What `fedclave attest verify` reads and how it ends, on evidence of the simulator. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Verdict } from "../attest/verdict.ts";
import { runCommand } from "../testing/captured-output.ts";

let directory: string;
const at = (name: string): string => path.join(directory, name);
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "fedclave-attest-"));
  for (const tee of ["sgx", "tdx", "sev-snp"]) {
    const run = await runCommand(["attest", "simulate", "--out", at(tee), "--tee", tee]);
    expect(run.status).toBe(0);
  }
  await writeFile(at("empty"), "");
  await writeFile(at("text"), "no evidence\n");
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const dcap = (tee = "sgx") => [
  "--collateral",
  at(`${tee}/collateral.json`),
  "--root",
  at(`${tee}/root.der`),
];
const snp = () => [
  ...["--leaf", at("sev-snp/leaf.der"), "--chain", at("sev-snp/chain.pem")],
  ...["--crl", at("sev-snp/crl.der"), "--root", at("sev-snp/root.der")],
];

async function verify(...args: readonly string[]) {
  const run = await runCommand(["attest", "verify", ...args, "--json"]);
  const lines = run.stdout.split("\n");
  expect([run.stderr, lines.length, lines[1]]).toEqual(["", 2, ""]);
  const verdict = JSON.parse(run.stdout) as Verdict;
  return { status: run.status, verdict, codes: verdict.reasons.map(({ code }) => code) };
}

describe("refused with status 2", () => {
  test.each<[string, () => readonly string[], string]>([
    ["a quote without collateral", () => [at("sgx/quote.bin")], "collateral-missing"],
    ["a report without certificates", () => [at("sev-snp/report.bin")], "collateral-missing"],
    [
      "a simulated quote under the vendors' roots",
      () => [at("sgx/quote.bin"), "--collateral", at("sgx/collateral.json")],
      "root-not-trusted",
    ],
    [
      "a simulated report under the vendors' roots",
      () => [at("sev-snp/report.bin"), ...snp().slice(0, -2)],
      "root-not-trusted",
    ],
    [
      "a quote with another TEE's collateral",
      () => [at("sgx/quote.bin"), ...dcap("tdx")],
      "tcb-info-wrong-tee",
    ],
    [
      "collateral after its end",
      () => [at("sgx/quote.bin"), ...dcap(), "--now", "2049-01-01"],
      "tcb-info-expired",
    ],
    [
      "a certificate without the nonce that was asked for",
      () => [at("sgx/ra-tls.pem"), ...dcap(), "--nonce", "00FF"],
      "nonce-mismatch",
    ],
  ])("%s", async (_, args, code) => {
    const { status, verdict, codes } = await verify(...args());
    expect([status, verdict.genuine, verdict.accepted]).toEqual([2, false, false]);
    expect(codes).toContain(code);
    expect(verdict).toMatchObject({ tcbStatus: null, advisories: [], claims: null });
    expect(verdict.measurement).toMatch(/^[0-9a-f]{64,96}$/);
  });
});

describe("unreadable, or not understood: status 1, and one object of JSON nevertheless", () => {
  test.each<[string, () => readonly string[], string]>([
    ["evidence that is not there", () => [at("none")], "unreadable"],
    ["an empty file", () => [at("empty")], "unreadable"],
    ["a text", () => [at("text")], "unreadable"],
    ["a directory", () => [at("sgx")], "unreadable"],
    ["a root alone, which is no evidence file", () => [at("sev-snp/chain.pem")], "unreadable"],
    [
      "collateral that is no JSON",
      () => [at("sgx/quote.bin"), "--collateral", at("text")],
      "unreadable",
    ],
    ["a root that is none", () => [at("sgx/quote.bin"), "--root", at("text")], "unreadable"],
    [
      "a chain that is no PEM",
      () => [at("sev-snp/report.bin"), "--leaf", at("sev-snp/leaf.der"), "--chain", at("text")],
      "unreadable",
    ],
    ["a day that is none", () => [at("sgx/quote.bin"), "--now", "2025-02-29"], "usage"],
    [
      "a time without its zone",
      () => [at("sgx/quote.bin"), "--now", "2025-02-28T10:00:00"],
      "usage",
    ],
    ["a nonce that is not hex", () => [at("sgx/ra-tls.pem"), "--nonce", "xyz"], "usage"],
    ["a nonce for a quote", () => [at("sgx/quote.bin"), "--nonce", "00"], "usage"],
    ["an SNP chain for a quote", () => [at("sgx/quote.bin"), "--chain", at("text")], "usage"],
  ])("%s", async (_, args, code) => {
    const { status, verdict, codes } = await verify(...args());
    expect([status, verdict.genuine, codes]).toEqual([1, false, [code]]);
  });

  test.each([[[]], [["--what"]], [["a", "b"]]])("arguments %j", async (args) => {
    const run = await runCommand(["attest", "verify", ...args]);
    expect([run.status, run.stdout]).toEqual([1, ""]);
    expect(run.stderr).toContain("error: ");
  });

  test("without --json the reason goes to standard error", async () => {
    const run = await runCommand(["attest", "verify", at("empty")]);
    expect([run.status, run.stdout]).toEqual([1, ""]);
    expect(run.stderr).toContain(`${at("empty")} cannot be used: `);
  });
});

describe("accepted with status 0", () => {
  test.each(["sgx", "tdx"])("a quote and an RA-TLS certificate of %s", async (tee) => {
    const quote = await verify(at(`${tee}/quote.bin`), ...dcap(tee));
    expect(quote).toMatchObject({ status: 0, codes: [], verdict: { tee, tcbStatus: "UpToDate" } });
    const certificate = await verify(at(`${tee}/ra-tls.pem`), ...dcap(tee));
    expect(certificate).toMatchObject({
      status: 0,
      codes: [],
      verdict: { evidence: "ra-tls", tee },
    });
    expect(certificate.verdict.measurement).toBe(quote.verdict.measurement);
    expect(certificate.verdict.raTls).toMatchObject({ form: "tcg-dice", otherClaims: [] });
  });

  test("an SNP report, whose platform nobody grades", async () => {
    const { status, verdict } = await verify(at("sev-snp/report.bin"), ...snp());
    expect([status, verdict.warnings]).toEqual([0, []]);
    expect(verdict).toMatchObject({ tcbStatus: null, signer: null, advisories: [] });
  });

  test.each<[string, string, (bytes: Buffer) => string | Buffer]>([
    ["hex", "quote.bin", (bytes) => bytes.toString("hex")],
    ["hex in lines", "quote.bin", (bytes) => bytes.toString("hex").replace(/(.{64})/g, "$1\r\n")],
    ["upper case with 0x", "quote.bin", (bytes) => `0x${bytes.toString("hex").toUpperCase()}\n`],
    ["base64", "quote.bin", (bytes) => `${bytes.toString("base64")}\n`],
    ["DER", "ra-tls.pem", pemBody],
    ["base64 of DER", "ra-tls.pem", (bytes) => pemBody(bytes).toString("base64")],
    ["PEM below a dump", "ra-tls.pem", (bytes) => `Certificate:\n  Größe: 5 kB\n${bytes}`],
    ["PEM with CRLF", "ra-tls.pem", (bytes) => String(bytes).replaceAll("\n", "\r\n")],
    ["zeros behind a quote", "quote.bin", (bytes) => Buffer.concat([bytes, Buffer.alloc(3000)])],
  ])("evidence as %s", async (form, name, write) => {
    const file = at(form.replaceAll(" ", "-"));
    await writeFile(file, write(await readFile(at(`sgx/${name}`))));
    expect(await verify(file, ...dcap())).toMatchObject({ status: 0, codes: [] });
  });

  test("in colours for people, with a line for every claim", async () => {
    const run = await runCommand(["attest", "verify", at("sgx/quote.bin"), ...dcap()]);
    const { verdict } = await verify(at("sgx/quote.bin"), ...dcap());
    expect([run.status, run.stderr]).toEqual([0, ""]);
    const lines = run.stdout.split("\n");
    const claims = lines.filter((line) => line.startsWith("✓ "));
    expect(claims).toEqual(verdict.checks.map(({ claim }) => `✓ ${claim}`));
    const verdictLine =
      "Genuine under a root that is no vendor's, and accepted by the default policy.";
    expect(lines.slice(-2)).toEqual([verdictLine, ""]);
    expect(run.stdout).toContain(verdict.measurement);
    expect(run.stdout).toContain("a root that is no vendor's");
  });
});

test("a refusal ends with the claims that do not hold, and says what helps", async () => {
  const ended = await runCommand([
    ...["attest", "verify", at("sgx/quote.bin"), ...dcap(), "--now", "2049-01-01"],
  ]);
  const [, tail = ""] = ended.stdout.split("Not genuine: ");
  expect(tail).toMatch(/^\d+ of \d+ claims do not hold:\n(?: {4}[a-z-]+ {2}\(.*\)\n)+$/);
  expect(tail).toContain("    tcb-info-expired  (TCB info: valid still)\n");
  expect(ended.stderr).toContain(
    `newer documents with: fedclave attest fetch ${at("sgx/quote.bin")}`,
  );
  const foreign = await runCommand([
    "attest",
    "verify",
    at("sgx/quote.bin"),
    ...dcap().slice(0, 2),
  ]);
  expect(foreign.stderr).toContain("--root root.der");
  expect(foreign.stderr).toContain("docs/errors.md");
});

test("collateral of another platform is said with the command that gets the right one", async () => {
  const knob = ["--knob", "fmspc-other"];
  await runCommand(["attest", "simulate", "--out", at("other"), ...knob]);
  const given = ["--collateral", at("other/collateral.json"), "--root", at("other/root.der")];
  const { stderr } = await runCommand(["attest", "verify", at("other/quote.bin"), ...given]);
  expect(stderr).toContain("Get those of this platform with: fedclave attest fetch");
});

test("of a report's certificates, only those that are missing are asked for", async () => {
  const leaf = ["--leaf", at("sev-snp/leaf.der")];
  const { status, verdict } = await verify(at("sev-snp/report.bin"), ...leaf);
  expect(status).toBe(2);
  expect(verdict.reasons.map(({ wanted }) => wanted)).toEqual(["--chain FILE.pem"]);
});

test.each<[string, () => readonly string[], string]>([
  ["nothing", () => [at("none")], "(there is none)"],
  ["a directory", () => [at("sgx")], "(it is a directory)"],
  ["an empty file", () => [at("empty")], "it is empty; name a quote"],
  ["a device without end", () => ["/dev/zero"], "it has more than 1048576 bytes"],
  ["a text", () => [at("text")], "neither hex nor base64 nor PEM"],
  ["collateral in the place of evidence", () => [at("sgx/collateral.json")], "--collateral"],
])("why %s cannot be read is said", async (_, args, why) => {
  const { status, stderr } = await runCommand(["attest", "verify", ...args()]);
  expect([status, stderr.split("\n").length]).toEqual([1, 2]);
  expect(stderr).toContain(why);
});

test("what is missing is said with the command that gets it", async () => {
  const run = await runCommand(["attest", "verify", at("tdx/quote.bin")]);
  expect(run.status).toBe(2);
  expect(run.stdout).toContain("✗ endorsements: at hand");
  expect(run.stderr).toContain(`fedclave attest fetch ${at("tdx/quote.bin")} --out`);
});

test("a certificate hidden in another as PEM is not read in its place", async () => {
  const [inner, outer] = await Promise.all(
    ["tdx/ra-tls.pem", "sgx/ra-tls.pem"].map((file) => readFile(at(file))),
  );
  const file = at("hidden");
  await writeFile(file, Buffer.concat([pemBody(outer!), inner!]));
  expect(await verify(file, ...dcap("tdx"))).toMatchObject({ status: 1, codes: ["unreadable"] });
});

function pemBody(pem: Buffer): Buffer {
  return Buffer.from(String(pem).replace(/-----[^-]*-----/g, ""), "base64");
}
