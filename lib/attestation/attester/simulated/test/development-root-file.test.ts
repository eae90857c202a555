/** Where a development root may be kept, and what is made of what is found there. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { inspect } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { systemRandomness } from "../../../../base/randomness.ts";
import { fakeClock } from "../../../../base/testing/fake-clock.ts";
import { DevelopmentRootError } from "../root/development-root-error.ts";
import { openDevelopmentRoot } from "../root/development-root-file.ts";

const base = mkdtempSync(path.join(tmpdir(), "fedclave-root-"));
afterAll(() => rmSync(base, { recursive: true }));

let count = 0;
const freshFolder = (): string => path.join(base, String(count++));
const openRoot = (directory: string) =>
  openDevelopmentRoot(directory, fakeClock(), systemRandomness);

const codeOf = async (opening: Promise<unknown>): Promise<string> => {
  const error = await opening.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof DevelopmentRootError ? error.code : `no refusal: ${String(error)}`;
};

describe("openDevelopmentRoot refuses", () => {
  test("every folder inside this repository, dist included", async () => {
    for (const folder of [".", "dist/root", "lib/attestation/new/folder"]) {
      const directory = path.resolve(import.meta.dirname, "../../../../..", folder);
      expect(await codeOf(openRoot(directory))).toBe("root-misplaced");
    }
    expect(existsSync(path.resolve(import.meta.dirname, "../../../../../dist/root"))).toBe(false);
  });

  test("a folder in anybody's repository, also behind a link", async () => {
    const repository = freshFolder();
    mkdirSync(path.join(repository, ".git"), { recursive: true });
    mkdirSync(path.join(repository, "root"), { mode: 0o700 });
    expect(await codeOf(openRoot(path.join(repository, "root")))).toBe("root-misplaced");
    const link = freshFolder();
    symlinkSync(path.join(repository, "root"), link);
    expect(await codeOf(openRoot(link))).toBe("root-misplaced");
    expect(readdirSync(path.join(repository, "root"))).toEqual([]);
  });

  test("our own package where it lies without its repository", async () => {
    const unpacked = freshFolder();
    mkdirSync(unpacked);
    writeFileSync(path.join(unpacked, "package.json"), '{ "name": "fedclave" }');
    expect(await codeOf(openRoot(path.join(unpacked, "dist", "root")))).toBe("root-misplaced");
  });

  test.each([0o750, 0o701, 0o777])("a folder of mode %o", async (mode) => {
    const folder = freshFolder();
    mkdirSync(folder);
    chmodSync(folder, mode);
    expect(await codeOf(openRoot(folder))).toBe("root-exposed");
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([0o640, 0o604])("a file of mode %o", async (mode) => {
    const folder = freshFolder();
    await openRoot(folder);
    chmodSync(path.join(folder, "root.json"), mode);
    expect(await codeOf(openRoot(folder))).toBe("root-exposed");
  });

  test("a file that is a link, whatever it leads to", async () => {
    const [folder, other] = [freshFolder(), freshFolder()];
    await openRoot(other);
    mkdirSync(folder, { mode: 0o700 });
    symlinkSync(path.join(other, "root.json"), path.join(folder, "root.json"));
    expect(await codeOf(openRoot(folder))).toBe("root-unreadable");
  });

  test.each<[string, (text: string) => string]>([
    ["nothing", () => ""],
    ["the first half", (text) => text.slice(0, text.length / 2)],
    ["another version", (text) => text.replace('"version":1', '"version":2')],
    ["a shorter seed", (text) => text.replace(/"seed":"[^"]*"/, '"seed":"AAAA"')],
    ["no certificate", (text) => text.replace(/"root":"[^"]*",/, "")],
    ["a field more", (text) => text.replace("{", '{"more":1,')],
  ])("a file with %s", async (_, change) => {
    const folder = freshFolder();
    await openRoot(folder);
    const file = path.join(folder, "root.json");
    writeFileSync(file, change(readFileSync(file, "utf8")));
    expect(await codeOf(openRoot(folder))).toBe("root-broken");
  });
});

test("a root is made with all its parents, for its owner only", async () => {
  const folder = path.join(freshFolder(), "a", "b");
  await openRoot(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(readdirSync(folder)).toEqual(["root.json"]);
  expect(statSync(path.join(folder, "root.json")).mode & 0o777).toBe(0o600);
});

test("a root opened again is the same", async () => {
  const folder = freshFolder();
  const first = await openRoot(folder);
  const again = await openRoot(folder);
  expect(again.dcap).toEqual(first.dcap);
  expect(again.seed.reveal()).toEqual(first.seed.reveal());
  expect(again.createdAtMs).toBe(first.createdAtMs);
});

test("two installations have nothing in common", async () => {
  const [one, other] = [await openRoot(freshFolder()), await openRoot(freshFolder())];
  expect(one.seed.reveal()).not.toEqual(other.seed.reveal());
  expect(one.dcap.root).not.toEqual(other.dcap.root);
});

test("of many that make a root at once, all get the same", async () => {
  const folder = freshFolder();
  const roots = await Promise.all(Array.from({ length: 8 }, () => openRoot(folder)));
  const seeds = new Set(roots.map(({ seed }) => Buffer.from(seed.reveal()).toString("hex")));
  expect(seeds.size).toBe(1);
  expect(readdirSync(folder)).toEqual(["root.json"]);
});

test("keys of SEV-SNP are made for the products that are used, and kept", async () => {
  const folder = freshFolder();
  const root = await openRoot(folder);
  const [material, same] = await Promise.all([root.snp("Milan"), root.snp("Milan")]);
  expect(same).toBe(material);
  expect(readdirSync(folder)).toEqual(["root.json", "snp-milan.json"]);
  const again = await (await openRoot(folder)).snp("Milan");
  expect(again.certificates).toEqual(material.certificates);
  expect(again.keys.ark.equals(material.keys.ark)).toBe(true);
});

test("what is printed of a root holds no key", async () => {
  const root = await openRoot(freshFolder());
  const shown = inspect(root, { depth: 8 });
  expect(shown).toContain("[secret]");
  expect(shown).not.toContain(Buffer.from(root.seed.reveal()).toString("hex"));
});
