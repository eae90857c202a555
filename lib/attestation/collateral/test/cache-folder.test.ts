import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { utf8 } from "../../../base/bytes.ts";
import { type CacheFiles, openCacheFolder } from "../cache-folder.ts";

let root: string;
let dir: string;
beforeEach(async () => {
  root = await fs.mkdtemp(path.join(tmpdir(), "cache-"));
  dir = path.join(root, "below", "it");
});
afterEach(() => fs.rm(root, { recursive: true }));

test("what is written is read again, after a restart too; what is not there is nothing", async () => {
  const folder = await openCacheFolder(dir);
  await folder.write("a.json", utf8("one"));
  await folder.write("a.json", utf8("two"));
  expect(await folder.read("a.json", 3)).toEqual(utf8("two"));
  expect(await (await openCacheFolder(dir)).read("a.json", 3)).toEqual(utf8("two"));
  expect(await folder.read("b.json", 3)).toBeUndefined();
});

test("folder and files are for their owner alone, and nothing unfinished stays", async () => {
  const folder = await openCacheFolder(dir);
  await folder.write("a.json", utf8("one"));
  expect((await fs.stat(dir)).mode & 0o777).toBe(0o700);
  expect((await fs.stat(folder.path("a.json"))).mode & 0o777).toBe(0o600);
  expect(await fs.readdir(dir)).toEqual(["a.json"]);
});

test("of many writes at once the last one given stands, whole", async () => {
  const folder = await openCacheFolder(dir);
  const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(1000 + index));
  await Promise.all(texts.map((text) => folder.write("a.json", utf8(text))));
  expect(await folder.read("a.json", 10_000)).toEqual(utf8(texts[19]!));
});

test("a file past its limit is not read", async () => {
  const folder = await openCacheFolder(dir);
  await folder.write("a.json", utf8("four"));
  await expect(folder.read("a.json", 3)).rejects.toThrow(/has 4 bytes; 3 are allowed/);
});

test.each<[string, Partial<CacheFiles>]>([
  ["renaming", { rename: () => Promise.reject(new Error("EIO")) }],
  ["opening", { open: () => Promise.reject(new Error("ENOSPC")) }],
])("a write that fails at %s leaves what was there, and no rest", async (_step, broken) => {
  await (await openCacheFolder(dir)).write("a.json", utf8("old"));
  const folder = await openCacheFolder(dir, { ...fs, ...broken });
  await expect(folder.write("a.json", utf8("new"))).rejects.toThrow();
  expect(await fs.readFile(path.join(dir, "a.json"), "utf8")).toBe("old");
  expect(await fs.readdir(dir)).toEqual(["a.json"]);
});

test("what a crash left unfinished is not read, and is replaced", async () => {
  const folder = await openCacheFolder(dir);
  await fs.writeFile(path.join(dir, "a.json.tmp"), "half");
  expect(await folder.read("a.json", 10)).toBeUndefined();
  await folder.write("a.json", utf8("whole"));
  expect(await fs.readdir(dir)).toEqual(["a.json"]);
});
