/** The Attach stream to the reducer: opened again for as long as the combiner runs. */
import type { Clock } from "../../lib/base/clock.ts";
import { describeError, type Log } from "../../lib/base/log.ts";
import { Outbox } from "../../lib/base/outbox.ts";
import type { Randomness } from "../../lib/base/randomness.ts";
import type { ClientStream, Connection } from "../../lib/transport/connect.ts";
import { delay } from "../../lib/transport/delay.ts";
import type { ReceivedResponseOf, SentRequestOf } from "../../lib/transport/rpcs.ts";
import type { CombinerMessage } from "../core/state.ts";
import type { Engine } from "./engine.ts";
import { attachMessage, type CombinerPresence, parseOrder } from "./order-wire.ts";

type AttachStream = ClientStream<
  ReceivedResponseOf<"Coordination.Attach">,
  SentRequestOf<"Coordination.Attach">
>;

export type ReducerLink = {
  /** Begins to attach; once. */
  readonly start: (presence: CombinerPresence) => void;
  /** Queues a message for the stream there is; one too many ends it, and the next one begins with everything. */
  readonly send: (message: CombinerMessage) => void;
  readonly close: () => void;
};

/** Messages that may wait for a reducer that does not read. */
const MAX_WAITING_MESSAGES = 16_384;
const MIN_ATTACH_DELAY_MS = 100;
const MAX_ATTACH_DELAY_MS = 2_000;

/** Keeps one Attach stream to the reducer, for as long as the combiner runs. */
export function reducerLink(given: {
  readonly engine: () => Engine;
  readonly reducer: Connection;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
  readonly onFatal: (error: unknown) => void;
}): ReducerLink {
  const { clock, randomness, log } = given;
  const closing = new AbortController();
  let outbox: Outbox<CombinerMessage> | undefined;
  let stream: AttachStream | undefined;

  async function attachForEver(presence: CombinerPresence): Promise<void> {
    for (let failures = 0; !closing.signal.aborted; ) {
      const heard = await attach(presence);
      failures = heard ? 0 : failures + 1;
      if (closing.signal.aborted) return;
      await delay(clock, attachDelayMs(failures, randomness), closing.signal);
    }
  }

  /** @returns whether the reducer said anything */
  async function attach(presence: CombinerPresence): Promise<boolean> {
    let heard = false;
    const queue = new Outbox<CombinerMessage>(MAX_WAITING_MESSAGES);
    try {
      stream = given.reducer.bidi("Coordination.Attach");
      outbox = queue;
      given.engine().submit({ kind: "reducer-attached" });
      const reading = readOrders(stream, () => {
        if (!heard) log.info("reducer.attached", {});
        heard = true;
      });
      await Promise.race([reading, writeMessages(stream, queue, presence)]);
    } catch (error) {
      if (!closing.signal.aborted) log.warn("reducer.lost", { error: describeError(error) });
    } finally {
      outbox = undefined;
      queue.close();
      stream?.cancel();
      given.engine().submit({ kind: "reducer-detached" });
    }
    return heard;
  }

  async function readOrders(from: AttachStream, onOrder: () => void): Promise<void> {
    for (;;) {
      const message = await from.read();
      if (message === undefined) return;
      const order = parseOrder(message, clock.untrustedNowMs());
      onOrder();
      given.engine().submit({ kind: "order", order });
    }
  }

  return {
    start: (presence) => {
      attachForEver(presence).catch((error: unknown) => {
        if (!closing.signal.aborted) given.onFatal(error);
      });
    },
    send: (message) => {
      if (outbox === undefined || outbox.push(message)) return;
      log.warn("reducer.not-reading", { waiting: MAX_WAITING_MESSAGES });
      stream?.cancel();
    },
    close: () => {
      closing.abort(new Error("the combiner stops"));
      stream?.cancel();
    },
  };
}

async function writeMessages(
  stream: AttachStream,
  queue: Outbox<CombinerMessage>,
  presence: CombinerPresence,
): Promise<void> {
  for (;;) {
    const message = await queue.next();
    if (message === undefined) return;
    await stream.write(attachMessage(message, presence));
  }
}

/** Between half and all of 100 ms · 2^failures, at most 2 s. */
function attachDelayMs(failures: number, randomness: Randomness): number {
  const fullMs = Math.min(MAX_ATTACH_DELAY_MS, MIN_ATTACH_DELAY_MS * 2 ** Math.min(failures, 8));
  const [byte = 0] = randomness.bytes(1);
  return Math.round(fullMs * (0.5 + byte / 510));
}
