import { MAX_PATH_LENGTH } from "./limits.ts";

const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/**
 * Whether a path may stand in an archive: relative, "/" between segments, 1 to 100 characters of
 * [A-Za-z0-9_.-], no segment beginning with "." or "-". That leaves no "..", no drive, no hidden file
 * and nothing a shell or a file system reads in its own way.
 */
export function isPackagePath(path: string): boolean {
  return path.length <= MAX_PATH_LENGTH && path.split("/").every((part) => SEGMENT.test(part));
}

/**
 * The first path that stands in the way of an earlier one: equal to it but for case, or naming a folder
 * where the other names a file. Either would make what is unpacked depend on the file system.
 */
export function findClash(paths: readonly string[]): string | undefined {
  const files = new Set<string>();
  const folders = new Set<string>();
  for (const path of paths) {
    const key = path.toLowerCase();
    if (files.has(key) || folders.has(key)) return path;
    const parents = parentsOf(key);
    if (parents.some((parent) => files.has(parent))) return path;
    for (const parent of parents) folders.add(parent);
    files.add(key);
  }
  return undefined;
}

function parentsOf(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_part, index) => parts.slice(0, index + 1).join("/"));
}
