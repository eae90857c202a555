/** The client service in this process: real connections and trainer, a clock that only the test moves. */
import path from "node:path";
import { systemClock } from "../../lib/base/clock.ts";
import type { Log, LogFields } from "../../lib/base/log.ts";
import type { RunningRole } from "../../lib/base/role-process.ts";
import { type FakeClock, fakeClock } from "../../lib/base/testing/fake-clock.ts";
import type { CommandsConfig } from "../service/commands-config.ts";
import type { MemberConfig } from "../service/config.ts";
import { startClients } from "../service/start-clients.ts";
import { Inbox } from "./inbox.ts";

export type LogLine = {
  readonly level: string;
  readonly event: string;
  readonly fields: LogFields;
};

export type TestClient = {
  /** Settles when every member was welcomed, or the client failed. */
  readonly started: Promise<RunningRole>;
  readonly log: Inbox<LogLine>;
  readonly clock: FakeClock;
  /** Lets the client's rest of at most `withinMs` pass, once it has begun. */
  readonly endRest: (withinMs?: number) => Promise<number>;
  readonly stop: () => Promise<void>;
};

export function startTestClient(
  members: readonly MemberConfig[],
  trainerFile: string,
  commands?: CommandsConfig,
): TestClient {
  // Near the real time, in which certificates are issued; standing still, so that nothing times out by itself.
  const clock = fakeClock(systemClock().untrustedNowMs());
  const log = new Inbox<LogLine>();
  const stopping = new AbortController();
  const started = startClients(
    { members, ...(commands === undefined ? {} : { commands }) },
    {
      clock,
      // The longest jitter: delays are the nominal ones, but for a rounding.
      randomness: { bytes: (sizeBytes) => new Uint8Array(sizeBytes).fill(255) },
      log: logInto(log),
      trainerFile,
      commandModules: path.resolve(import.meta.dirname, "../../compute-packages/command/python"),
      signal: stopping.signal,
    },
  );
  started.catch(() => {});
  return {
    started,
    log,
    clock,
    endRest: async (withinMs = 250) => {
      for (;;) {
        const [delayMs = Number.POSITIVE_INFINITY] = clock.pendingDelaysMs();
        if (delayMs <= withinMs) {
          await clock.advance(delayMs);
          return delayMs;
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    stop: async () => {
      stopping.abort(new Error("the test is over"));
      const running = await started.catch(() => undefined);
      await running?.stop();
    },
  };
}

function logInto(lines: Inbox<LogLine>): Log {
  const write =
    (level: string) =>
    (event: string, fields: LogFields = {}) =>
      lines.put({ level, event, fields });
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}
