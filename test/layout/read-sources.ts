import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** Of the repository. */
export const ROOT = path.resolve(import.meta.dirname, "../..");

const NOT_SOURCES = new Set(["node_modules", "dist", "generated", "coverage"]);

/** Every file of ours by its path from the root, with "/"; the text of TypeScript, "" for others. */
export function readSources(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const visit = (folder: string): void => {
    for (const entry of readdirSync(path.join(ROOT, folder), { withFileTypes: true })) {
      if (NOT_SOURCES.has(entry.name) || entry.name.startsWith(".")) continue;
      const file = path.posix.join(folder, entry.name);
      if (entry.isDirectory()) visit(file);
      else files.set(file, file.endsWith(".ts") ? readFileSync(path.join(ROOT, file), "utf8") : "");
    }
  };
  visit("");
  return files;
}
