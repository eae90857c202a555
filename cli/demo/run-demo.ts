/** The main job: a whole federation on this machine trains MNIST and is gone again. */
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { readPackage } from "../../compute-packages/format/archive.ts";
import type { Name, UnixMs } from "../../lib/base/ids.ts";
import type { Connection } from "../../lib/transport/connect.ts";
import { withReducer } from "../admin-connection.ts";
import { CliError } from "../cli-error.ts";
import type { CommandContext } from "../context.ts";
import { makeEmptyDirectory } from "../init-federation.ts";
import { readModelFile } from "../model-files.ts";
import { counted, formatDuration } from "../rendering/units.ts";
import { completeSettings } from "../session-settings.ts";
import { uploadModel, uploadPackage } from "../transfer.ts";
import { type SessionView, sessionView } from "../views.ts";
import { watchSession } from "../watch-session.ts";
import { exampleData, examplePackage } from "./example-files.ts";
import { startLocalFederation } from "./local-federation.ts";
import { type DemoOptions, partitionText } from "./options.ts";
import { type DemoResult, resultOf } from "./result.ts";
import type { RoleProcess } from "./role-process.ts";
import { trainingTime } from "./training-time.ts";

/** For those who do more with a demo than run it: tests and measurements. */
export type DemoHooks = {
  /** What is going on, in a sentence. */
  readonly onNote?: (text: string) => void;
  /** All roles are ready; the processes may be crashed and restarted from here. */
  readonly onFederation?: (federation: RunningFederation) => void;
  /** After each change of the session. */
  readonly onSession?: (session: SessionView) => void;
  /** Each line that a role logs. */
  readonly onLog?: (role: RoleProcess, line: string) => void;
};

export type RunningFederation = {
  /** Homes, data and logs. */
  readonly directory: string;
  readonly adminHome: string;
  readonly roles: readonly RoleProcess[];
};

/** Far longer than any round: what ends a demo early is a failure, never a slow machine. */
const ROUND_DEADLINE_SECONDS = 24 * 3600;
const MAX_ATTEMPTS = 10;
/** Half the default leaves room for more examples per update; MNIST's weights change by less than 1 a round. */
const ELEMENT_BOUND = 4;
const REDUCER_WAIT_SECONDS = 30;

/**
 * Runs the demo and removes all traces, whatever happens. Quorum is all clients, so the model depends on the options
 * alone.
 * @throws CliError "role-stopped" with the last words of the role | "session-not-finished" | "interrupted"
 */
export async function runDemo(
  options: DemoOptions,
  context: CommandContext,
  hooks: DemoHooks = {},
): Promise<DemoResult> {
  const startedMs = context.clock.untrustedNowMs();
  const roles: RoleProcess[] = [];
  const directory = await makeDirectory(options.keep);
  const lastResort = (): void => {
    for (const role of roles) role.killNow();
    if (options.keep === undefined) rmSync(directory, { recursive: true, force: true });
  };
  process.once("exit", lastResort);
  const stop = new AbortController();
  const interrupt = (): void => stop.abort(new CliError("interrupted", "interrupted"));
  if (context.signal.aborted) interrupt();
  context.signal.addEventListener("abort", interrupt);
  const onStart = (role: RoleProcess): void => {
    roles.push(role);
    role.failed.catch((error: unknown) => stop.abort(error));
  };
  const work = demoWork(options, { ...context, signal: stop.signal }, hooks, {
    directory,
    startedMs,
    roles,
    onStart,
  });
  try {
    return await Promise.race([work, whenAborted(stop.signal)]);
  } finally {
    stop.abort(new CliError("interrupted", "the demo is over"));
    await stopAll(roles);
    // Nothing of it may still write into the directory; why it failed is known already.
    await work.catch(() => {});
    if (options.keep === undefined) await rm(directory, { recursive: true, force: true });
    process.off("exit", lastResort);
    context.signal.removeEventListener("abort", interrupt);
  }
}

/** Rejects with the signal's reason. */
function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

async function makeDirectory(keep: string | undefined): Promise<string> {
  if (keep === undefined) return await mkdtemp(path.join(tmpdir(), "fedclave-demo-"));
  await makeEmptyDirectory(keep);
  return path.resolve(keep);
}

type Workplace = {
  readonly directory: string;
  readonly startedMs: UnixMs;
  readonly roles: readonly RoleProcess[];
  readonly onStart: (role: RoleProcess) => void;
};

async function demoWork(
  options: DemoOptions,
  context: CommandContext,
  hooks: DemoHooks,
  { directory, startedMs, roles, onStart }: Workplace,
): Promise<DemoResult> {
  const { bundleDirectory, clock } = context;
  const note = hooks.onNote ?? (() => {});
  note(
    `Writing MNIST for ${counted(options.clients, "client")} (${partitionText(options.partition)})`,
  );
  const training = trainingTime();
  const data = await exampleData(bundleDirectory, path.join(directory, "data"), options);
  const archive = await examplePackage(bundleDirectory, options);
  const processes = Math.ceil(options.clients / options.clientsPerProcess);
  note(
    `Starting 1 reducer, ${counted(options.combiners, "combiner")} and ${counted(options.clients, "client")} ` +
      `in ${counted(1 + options.combiners + processes, "process", "processes")}`,
  );
  const files = await startLocalFederation({
    directory,
    bundleDirectory,
    combiners: options.combiners,
    data,
    clientsPerProcess: options.clientsPerProcess,
    clock,
    signal: context.signal,
    onStart,
    onLog: (role, line) => {
      training.read(line);
      hooks.onLog?.(role, line);
    },
  });
  hooks.onFederation?.({ directory, adminHome: files.adminHome, roles });
  const admin = { home: files.adminHome, wait: REDUCER_WAIT_SECONDS };
  return await withReducer(context, admin, async (reducer) => {
    const sessionId = await startSession(options, context, reducer, archive);
    const readyMs = clock.untrustedNowMs();
    note(
      `Ready after ${formatDuration(readyMs - startedMs)}; training ${counted(options.rounds, "round")}`,
    );
    const session = await watchSession(reducer, sessionId, {
      clock,
      signal: context.signal,
      onUpdate: (update) => hooks.onSession?.(update),
    });
    return resultOf(options, session, {
      startedMs,
      readyMs,
      endedMs: clock.untrustedNowMs(),
      trainingMs: training.totalMs(),
    });
  });
}

async function startSession(
  options: DemoOptions,
  context: CommandContext,
  reducer: Connection,
  archive: Uint8Array,
): Promise<string> {
  const { clients, rounds, seed, aggregator, serverLearningRate, mu, localEpochs } = options;
  const name = "mnist" as Name;
  const model = readModelFile("mnist.tgz", archive);
  await uploadPackage(context, reducer, archive, name);
  const seedModelHash = await uploadModel(context, reducer, model, "seed" as Name);
  const { settings } = completeSettings(
    {
      name: "demo",
      rounds,
      aggregator,
      ...(serverLearningRate === undefined ? {} : { serverLearningRate }),
      mu,
      minClients: clients,
      quorum: clients,
      maxCohort: clients,
      elementBound: ELEMENT_BOUND,
      roundDeadline: ROUND_DEADLINE_SECONDS,
      maxAttempts: MAX_ATTEMPTS,
      seed: `demo ${seed}`,
      set: { localEpochs },
    },
    { packageDigest: readPackage(archive).digest, packageName: name, seedModelHash },
    context.randomness,
  );
  return sessionView(await reducer.unary("Sessions.Start", { settings })).sessionId;
}

/** In the order in which nobody misses the other; each gets its grace. */
async function stopAll(roles: readonly RoleProcess[]): Promise<void> {
  for (const kind of ["client", "combiner", "reducer"] as const) {
    await Promise.all(roles.filter((each) => each.role === kind).map((each) => each.stop()));
  }
}
