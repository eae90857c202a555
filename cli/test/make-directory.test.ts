import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeDirectory } from "../make-directory.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "fedclave-"));
});
afterEach(() => rm(folder, { recursive: true }));

const modeOf = async (directory: string): Promise<number> => (await stat(directory)).mode & 0o777;

test("every directory that is missing is made, with that mode", async () => {
  await makeDirectory(path.join(folder, "a", "b"), 0o700);
  expect(await modeOf(path.join(folder, "a"))).toBe(0o700);
  expect(await modeOf(path.join(folder, "a", "b"))).toBe(0o700);
});

test("a directory that is there stays as it is", async () => {
  await mkdir(path.join(folder, "a"), { mode: 0o750 });
  await makeDirectory(path.join(folder, "a"), 0o700);
  expect(await modeOf(path.join(folder, "a"))).toBe(0o750);
});

test.each([
  ["itself", ["file"]],
  ["above it", ["file", "b"]],
])("a file in the place of the directory %s is said, and stays", async (_, parts) => {
  await writeFile(path.join(folder, "file"), "kept");
  await expect(makeDirectory(path.join(folder, ...parts), 0o700)).rejects.toMatchObject({
    code: "unwritable-file",
    message: expect.stringMatching(/cannot be made \((?:EEXIST|ENOTDIR)\)$/),
  });
  expect((await stat(path.join(folder, "file"))).isFile()).toBe(true);
});

// Where there is no /proc, the parent is missing and may not be made: the same answer.
test("a file system that takes no directories is said at once", async () => {
  await expect(makeDirectory("/proc/fedclave/a", 0o700)).rejects.toMatchObject({
    code: "unwritable-file",
  });
});
