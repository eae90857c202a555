/** The demo, small, with one role killed and started again at a chosen instant. */
import path from "node:path";
import type { CommandContext } from "../../cli/context.ts";
import { DEFAULT_DEMO_OPTIONS, type DemoOptions } from "../../cli/demo/options.ts";
import type { RoleName, RoleProcess } from "../../cli/demo/role-process.ts";
import { runDemo } from "../../cli/demo/run-demo.ts";
import type { SessionView } from "../../cli/views.ts";
import { systemClock } from "../../lib/base/clock.ts";
import { systemRandomness } from "../../lib/base/randomness.ts";

const SMALL: DemoOptions = { ...DEFAULT_DEMO_OPTIONS, rounds: 3, clients: 3, localEpochs: 6 };

/** What is killed, and when: the first time this many updates of the round are folded. */
export type Crash = { readonly role: RoleName; readonly round: number; readonly folded: number };

export type CrashedRun = {
  readonly modelHash: string;
  readonly crashes: number;
  readonly foldedPerRound: readonly number[];
};

export async function runUndisturbed(combiners: number): Promise<string> {
  const result = await runDemo({ ...SMALL, combiners }, context());
  return result.modelHash;
}

export async function runWithCrash(crash: Crash, seed = SMALL.seed): Promise<CrashedRun> {
  let roles: readonly RoleProcess[] = [];
  let last: SessionView | undefined;
  let crashes = 0;
  const restarted: Promise<unknown>[] = [];
  const result = await runDemo({ ...SMALL, combiners: 2, seed }, context(), {
    onFederation: (federation) => {
      roles = federation.roles;
    },
    onSession: (session) => {
      last = session;
      const round = session.roundHistory.find((each) => each.round === crash.round);
      if (crashes > 0 || round === undefined || round.foldedCount < crash.folded) return;
      crashes += 1;
      const victim = roles.find((each) => each.role === crash.role);
      if (victim !== undefined) restarted.push(crashAndRestart(victim));
    },
  });
  await Promise.all(restarted);
  const committed = (last?.roundHistory ?? []).filter((round) => round.status === "committed");
  return {
    modelHash: result.modelHash,
    crashes,
    foldedPerRound: committed.map((round) => round.foldedCount),
  };
}

/** A session may end, and its processes be stopped, before a role that died in its last round is ready again. */
async function crashAndRestart(role: RoleProcess): Promise<void> {
  await role.crash();
  await role.restart().catch(() => {});
}

function context(): CommandContext {
  const nowhere = { write: () => {}, isTty: false, columns: () => 80, hasColour: false };
  return {
    stdout: nowhere,
    stderr: nowhere,
    environment: process.env,
    clock: systemClock(),
    randomness: systemRandomness,
    bundleDirectory: path.resolve("dist"),
    signal: new AbortController().signal,
  };
}
