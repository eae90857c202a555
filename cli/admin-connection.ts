/** A command's connection to the reducer, as the admin whose home it was given. */
import path from "node:path";
import { silentLog } from "../lib/base/log.ts";
import { ProvisioningError } from "../lib/provisioning/provisioning-error.ts";
import type { Connection } from "../lib/transport/connect.ts";
import { MemberHomeError, readMemberHome } from "../lib/transport/member-home.ts";
import { joinFederation } from "../lib/transport/membership.ts";
import { TransportError } from "../lib/transport/transport-error.ts";
import { CliError } from "./cli-error.ts";
import type { CommandContext } from "./context.ts";
import { writeLine } from "./output.ts";

export type ReducerOptions = {
  /** The admin's home. */
  readonly home?: string;
  /** Seconds to wait for a reducer that cannot be reached. */
  readonly wait: number;
};

const DEFAULT_HOME = path.join("fedclave", "admin");
/** A reducer that is there answers at once; longer than this and a person wants to know what is going on. */
const QUIET_MS = 1_000;

/**
 * Joins, does the work, leaves.
 * @throws CliError "not-enrolled" | "reducer-unreachable" | "interrupted", and what the reducer refuses
 */
export async function withReducer<T>(
  context: CommandContext,
  options: ReducerOptions,
  work: (reducer: Connection) => Promise<T>,
): Promise<T> {
  const { clock, randomness, signal, environment } = context;
  const home = options.home ?? environment.FEDCLAVE_HOME ?? DEFAULT_HOME;
  const memberHome = await readMemberHome(home, "admin").catch((error: unknown) => {
    if (!(error instanceof MemberHomeError)) throw error;
    throw new CliError(
      "not-enrolled",
      `${error.message}. Commands look for an admin's home in --home, $FEDCLAVE_HOME or ${DEFAULT_HOME}`,
      { cause: error },
    );
  });
  const address = memberHome.descriptor.reducerAddress;
  const waiting = new AbortController();
  const stopWaiting = (): void => waiting.abort();
  signal.addEventListener("abort", stopWaiting);
  const cancelTimer = clock.after(1000 * options.wait, stopWaiting);
  const cancelHint = clock.after(Math.min(QUIET_MS, 500 * options.wait), () =>
    writeLine(context.stderr, `waiting up to ${options.wait} s for the reducer at ${address}`),
  );
  try {
    const membership = await joinFederation({
      home: memberHome,
      clock,
      randomness,
      log: silentLog,
      signal: waiting.signal,
    });
    cancelTimer();
    cancelHint();
    try {
      return await work(membership.reducer);
    } finally {
      membership.close();
    }
  } catch (error) {
    if (error instanceof CliError) throw error;
    if (signal.aborted) throw new CliError("interrupted", "interrupted");
    if (error instanceof ProvisioningError) {
      throw new CliError(
        "reducer-unreachable",
        `what answers at ${address} is not the reducer of the federation in ${home} (${error.message}); enrol with ` +
          "the federation.json of the reducer that runs there, or start the right one",
        { cause: error },
      );
    }
    if (!waiting.signal.aborted && !isUnreachable(error)) throw error;
    throw new CliError(
      "reducer-unreachable",
      `the reducer at ${address} cannot be reached; on its machine run: fedclave reducer --home DIR --listen ` +
        "HOST:PORT, and see that the port is open from here",
      { cause: error },
    );
  } finally {
    cancelTimer();
    cancelHint();
    signal.removeEventListener("abort", stopWaiting);
  }
}

const isUnreachable = (error: unknown): boolean =>
  error instanceof TransportError && error.code === "unreachable";
