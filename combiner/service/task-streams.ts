/** The Attend streams of clients: tasks go out in order, in slices, and a client that does not read is cut off. */
import type { Clock } from "../../lib/base/clock.ts";
import { describeError, type Log } from "../../lib/base/log.ts";
import { Outbox } from "../../lib/base/outbox.ts";
import { type Refusal, RefusedError, refused } from "../../lib/base/refusal.ts";
import type { MemberPeer } from "../../lib/transport/peer.ts";
import type { MessageStream } from "../../lib/transport/stream.ts";
import type { StreamId, Task } from "../core/state.ts";
import type { Engine } from "./engine.ts";
import {
  type ClientMessage,
  checkHello,
  clientInput,
  type TaskMessage,
  taskMessage,
} from "./task-wire.ts";

export type AttendStream = MessageStream<ClientMessage, TaskMessage>;

export type TaskStreams = {
  /** Serves one Tasks.Attend call until it ends. */
  readonly serve: (stream: AttendStream, peer: MemberPeer) => Promise<void>;
  readonly send: (streams: readonly StreamId[], task: Task) => void;
  /** Ends a stream with these reasons; what is still queued for it is lost. */
  readonly end: (stream: StreamId, reasons: readonly Refusal[]) => void;
  /** Ends every stream well, after what was sent before. */
  readonly closeAll: () => Promise<void>;
};

/** Tasks that may wait for a client that does not read. */
export const MAX_WAITING_TASKS = 64;
/** Messages a client may send before any task and for each one: an honest one sends three at most. */
const CLIENT_MESSAGE_ALLOWANCE = 8;
/** Streams written to in one turn of the event loop: encoding and TLS take about 30 µs each. */
const SLICE_COUNT = 64;

type Link = {
  readonly outbox: Outbox<TaskMessage>;
  /** Rejects when the stream is to end with a refusal. */
  readonly cut: Promise<never>;
  readonly cutWith: (reason: Error) => void;
  messageAllowance: number;
};

/** Serves Tasks.Attend: one stream a member, tasks out, what clients say into the core. */
export function taskStreams(given: {
  readonly engine: () => Engine;
  readonly clock: Clock;
  readonly log: Log;
}): TaskStreams {
  const { log } = given;
  const links = new Map<StreamId, Link>();
  let lastStream = 0;
  const fanOut = fanOutQueue();

  async function serve(stream: AttendStream, peer: MemberPeer): Promise<void> {
    const { member } = peer;
    // The transport refuses a client whose first message does not come.
    checkHello(await stream.read());
    lastStream += 1;
    const id = lastStream;
    const link = newLink();
    links.set(id, link);
    given.engine().submit({ kind: "client-attended", member, stream: id });
    try {
      await Promise.race([readAll(stream, peer, link), writeAll(stream, link), link.cut]);
    } catch (error) {
      log.info("client.stream-ended", { member, error: describeError(error) });
      throw error;
    } finally {
      links.delete(id);
      link.outbox.close();
      given.engine().submit({ kind: "client-left", member, stream: id });
    }
  }

  async function readAll(stream: AttendStream, { member }: MemberPeer, link: Link): Promise<void> {
    for (;;) {
      const message = await stream.read();
      if (message === undefined) return;
      link.messageAllowance -= 1;
      if (link.messageAllowance < 0) {
        const wanted = `at most ${CLIENT_MESSAGE_ALLOWANCE} for each task`;
        throw refused("too-many-messages", "one more", wanted);
      }
      given.engine().submit(clientInput(member, message));
    }
  }

  function push(id: StreamId, message: TaskMessage): void {
    const link = links.get(id);
    if (link === undefined) return;
    link.messageAllowance += CLIENT_MESSAGE_ALLOWANCE;
    if (link.outbox.push(message)) return;
    const wanted = "a client that reads its tasks";
    link.cutWith(refused("not-reading", `${MAX_WAITING_TASKS} tasks wait`, wanted));
  }

  return {
    serve,
    send: (streams, task) => {
      const message = taskMessage(task);
      for (const id of streams) fanOut.add(() => push(id, message));
    },
    end: (id, reasons) => links.get(id)?.cutWith(new RefusedError(...reasons)),
    closeAll: () =>
      new Promise((resolve) => {
        fanOut.add(() => {
          for (const { outbox } of links.values()) outbox.close();
          resolve();
        });
      }),
  };
}

async function writeAll(stream: AttendStream, { outbox }: Link): Promise<void> {
  for (;;) {
    const message = await outbox.next();
    if (message === undefined) return;
    await stream.write(message);
  }
}

function newLink(): Link {
  let cutWith: (reason: Error) => void = () => {};
  const cut = new Promise<never>((_, reject) => {
    cutWith = reject;
  });
  // A stream that ended by itself has nobody waiting here.
  cut.catch(() => {});
  const outbox = new Outbox<TaskMessage>(MAX_WAITING_TASKS);
  return { outbox, cut, cutWith, messageAllowance: CLIENT_MESSAGE_ALLOWANCE };
}

/** Runs actions in order, the first slice at once and the rest a slice a turn, so that uploads go on in between. */
function fanOutQueue(): { readonly add: (action: () => void) => void } {
  let waiting: (() => void)[] = [];
  let usedInTurn = 0;
  let scheduled = false;

  function runSlice(): void {
    scheduled = false;
    const slice = waiting.slice(0, SLICE_COUNT);
    waiting = waiting.slice(SLICE_COUNT);
    usedInTurn = slice.length;
    // The turn after the last slice only finds that a new one may begin.
    if (slice.length > 0) schedule();
    for (const action of slice) action();
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(runSlice);
  }

  return {
    add: (action) => {
      if (usedInTurn < SLICE_COUNT && waiting.length === 0) {
        usedInTurn += 1;
        schedule();
        action();
        return;
      }
      waiting.push(action);
      schedule();
    },
  };
}
