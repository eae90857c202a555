import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export type SmallDisk = {
  readonly dir: string;
  readonly remount: (mode: "ro" | "rw") => void;
  readonly unmount: () => void;
};

/** A real, tiny file system in memory, or undefined where this process may not mount one. */
export function mountSmallDisk(sizeKib: number): SmallDisk | undefined {
  const dir = mkdtempSync(path.join(tmpdir(), "fedclave-small-disk-"));
  const quiet = { stdio: "ignore" } as const;
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeKib}k`, "tmpfs", dir], quiet);
  } catch {
    rmdirSync(dir);
    return undefined;
  }
  return {
    dir,
    remount: (mode) => {
      execFileSync("mount", ["-o", `remount,${mode}`, dir], quiet);
    },
    unmount: () => {
      // Lazily: the database driver may keep a handle until its garbage is collected.
      execFileSync("umount", ["-l", dir], quiet);
      rmdirSync(dir);
    },
  };
}

/** Whether this process may mount; says so once where it may not, since tests are then skipped. */
export function canMount(): boolean {
  const disk = mountSmallDisk(64);
  disk?.unmount();
  if (disk === undefined) console.warn("SKIPPED: no right to mount a small tmpfs here");
  return disk !== undefined;
}
