/** The worked example of docs/manifest.md, as it stands there: built, signed and changed. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { runCommand } from "../testing/captured-output.ts";

const DOCS = path.resolve(import.meta.dirname, "../../docs/manifest.md");
const ZERO = (bytes: number): string => "00".repeat(bytes);

let directory: string;
let text: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "fedclave-manifest-docs-"));
  text = await readFile(DOCS, "utf8");
  await mkdir(at("keys"));
  const pem = (key: KeyObject, type: "pkcs8" | "spki") => key.export({ format: "pem", type });
  for (const who of ["admin", "hospital-a", "hospital-b", "reducer"]) {
    const namedCurve = who === "reducer" ? "P-384" : "P-256";
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
    await writeFile(at(`keys/${who}.key.pem`), pem(privateKey, "pkcs8"));
    await writeFile(at(`keys/${who}.pub.pem`), pem(publicKey, "spki"));
  }
  await writeFile(at("combiner.mrenclave"), `${"5A".repeat(32)}\n`);
  for (const file of [
    "td.mrtd",
    "td.rtmr0",
    "td.rtmr1",
    "td.rtmr2",
    "zero-48.hex",
    "snp.measurement",
  ]) {
    await writeFile(at(file), ZERO(48));
  }
  await writeFile(at("snp.hostdata"), ZERO(32));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const at = (file: string): string => path.join(directory, file);

/** Marked blocks of that kind. */
function blocks(kind: string): string[] {
  const marked = new RegExp(
    `<!-- tested by cli/test/manifest-docs\\.test\\.ts: ${kind.replace(".", "\\.")} -->\\n\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``,
    "g",
  );
  return [...text.matchAll(marked)].map(([, block = ""]) => block);
}

/** Runs a command of the page with its files in our directory. */
async function run(line: string): Promise<string> {
  const args = line.split(" ").map((each) => (/\.(json|yaml|pem)$/.test(each) ? at(each) : each));
  const done = await runCommand(args.slice(1));
  expect([line, done.status, done.stderr]).toEqual([line, 0, ""]);
  return done.stdout;
}
const runAll = async (kind: string): Promise<string> => {
  const lines = blocks(kind).flatMap((block) => block.trimEnd().split("\n"));
  let said = "";
  for (const line of lines) said += await run(line);
  return said;
};

test("the example is what `manifest init` writes, and its commands build and sign it", async () => {
  const said = await runAll("commands");
  expect([await readFile(at("federation.yaml"), "utf8")]).toEqual(blocks("federation.yaml"));
  expect(said).toContain("no problem");
  expect(said).toMatch(/aloud: {5}([0-9a-f]{4} ){3}[0-9a-f]{4}\n/);
  expect(said).toContain("signed by admin: 1 of 1 needed");
});

test("the entries for TDX and SEV-SNP fit into it, and the change is compared, signed and checked", async () => {
  const entries = blocks("combiner");
  expect(entries).toHaveLength(2);
  const next = parse(await readFile(at("federation.yaml"), "utf8"));
  next.roles.combiner.push(...entries.map((each) => parse(each)));
  next.epoch = 2;
  next.previousDigest = { file: "manifest.json" };
  await writeFile(at("next.yaml"), stringify(next));
  const said = await runAll("change");
  expect(said).toMatch(/loosening +roles\.combiner\[combiner-td-1-0\] /);
  expect(said).toMatch(/loosening +roles\.combiner\[combiner-snp-1-0\] /);
  expect(said).toContain("4 changes: 2 loosening, 2 neutral.");
});
