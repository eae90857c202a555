/** Which sandbox this machine allows, found by trying. */
import { mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import type { Clock } from "../../../lib/base/clock.ts";
import { MIB } from "../../../lib/base/limits.ts";
import { CommandError } from "../command-error.ts";
import { DEFAULT_LIMITS } from "../limits.ts";
import { lastLines } from "../output.ts";
import { supervise } from "../supervise.ts";
import { bubblewrap } from "./bubblewrap.ts";
import { namespaces } from "./namespaces.ts";
import type { Sandbox } from "./sandbox.ts";
import { dangerouslyUnsandboxed } from "./unsandboxed.ts";

/** Those that hold, the preferred one first. */
export const SANDBOXES: readonly Sandbox[] = [bubblewrap, namespaces];
const PROBE_LIMITS = { ...DEFAULT_LIMITS, seconds: 20, diskBytes: 16 * MIB };
/** Its own network has no way out, its root cannot be written to, and what it may write can be. */
const PROBE = `
set -e
if grep -v -e '|' -e ' lo:' /proc/net/dev >&2; then echo "it has a network" >&2; exit 1; fi
if (: > /probe) 2>/dev/null; then echo "its root can be written to" >&2; exit 1; fi
: > /tmp/probe
printf ok >&3
`;

export type Probe = { readonly sandbox: Sandbox; readonly problem: string | undefined };

/** @param directory  exists; gets a folder for a moment */
export async function probeSandbox(
  sandbox: Sandbox,
  directory: string,
  clock: Clock,
): Promise<Probe> {
  const scratch = await mkdtemp(path.join(directory, "probe-"));
  try {
    const end = await supervise(
      sandbox,
      {
        script: PROBE,
        args: [],
        environment: { PATH: SYSTEM_PATH },
        readOnly: [],
        writable: [],
        hasNetwork: false,
        limits: PROBE_LIMITS,
        scratch,
      },
      { maxResultBytes: 64, isCancelled: () => false, clock },
    );
    const holds = end.status === 0 && Buffer.from(end.result).toString() === "ok";
    const why = lastLines(end.output, 400) || `status ${end.status ?? "none"}`;
    return { sandbox, problem: holds ? undefined : why };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Where programs are looked for, inside and outside. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * The sandbox to use.
 * @throws CommandError "sandbox-unavailable" if none holds and the owner does not do without
 */
export async function chooseSandbox(given: {
  readonly dangerouslyUnsandboxed: boolean;
  readonly directory: string;
  readonly clock: Clock;
}): Promise<Sandbox> {
  // Somebody who asks for none gets none: half a promise would be mistaken for one.
  if (given.dangerouslyUnsandboxed) return dangerouslyUnsandboxed;
  const problems: string[] = [];
  // The kernel does not count root's processes; where it can bound the numbers they have, util-linux can say so.
  const isRoot = process.getuid?.() === 0;
  for (const sandbox of isRoot ? SANDBOXES.toReversed() : SANDBOXES) {
    const { problem } = await probeSandbox(sandbox, given.directory, given.clock);
    if (problem === undefined) return sandbox;
    problems.push(`${sandbox.kind}: ${problem}`);
  }
  throw new CommandError(
    "sandbox-unavailable",
    `this machine allows no sandbox (${problems.join("; ")}); install bubblewrap, or allow user namespaces`,
  );
}
