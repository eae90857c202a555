/** What of a command runs, by Linux's /proc. */
import { readdirSync, readFileSync } from "node:fs";

export type ProcessTree = { readonly pids: readonly number[]; readonly residentBytes: number };

const PAGE_BYTES = 4096;

/** A process and all that descend from it; empty where there is no /proc. */
export function processTree(root: number): ProcessTree {
  const childrenOf = new Map<number, number[]>();
  const pagesOf = new Map<number, number>();
  for (const [pid, parent, pages] of runningProcesses()) {
    pagesOf.set(pid, pages);
    childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), pid]);
  }
  const pids: number[] = pagesOf.has(root) ? [root] : [];
  for (const pid of pids) pids.push(...(childrenOf.get(pid) ?? []));
  const pages = pids.reduce((sum, pid) => sum + (pagesOf.get(pid) ?? 0), 0);
  return { pids, residentBytes: pages * PAGE_BYTES };
}

/** Whether one of them is there still and is no zombie. */
export function isAnyRunning(pids: ReadonlySet<number>): boolean {
  return [...pids].some((pid) => {
    try {
      return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
    } catch {
      return false;
    }
  });
}

function runningProcesses(): (readonly [pid: number, parent: number, residentPages: number])[] {
  return processNames().flatMap((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      // The second field is a name in parentheses, which may hold parentheses and spaces.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return [[Number(name), Number(fields[1]), Number(fields[21])] as const];
    } catch {
      // Ended in the meantime.
      return [];
    }
  });
}

function processNames(): readonly string[] {
  try {
    return readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name));
  } catch {
    return [];
  }
}
