import { expect, test } from "vitest";
import type { Name } from "../../../lib/base/ids.ts";
import { silentLog } from "../../../lib/base/log.ts";
import { RefusedError } from "../../../lib/base/refusal.ts";
import { fakeClock } from "../../../lib/base/testing/fake-clock.ts";
import type { MemberPeer } from "../../../lib/transport/peer.ts";
import type { Input } from "../../core/state.ts";
import { type AttendStream, MAX_WAITING_TASKS, taskStreams } from "../task-streams.ts";
import type { TaskMessage } from "../task-wire.ts";
import { until } from "../testing/world.ts";

/** Streams of which a test decides whether the client reads. */
function setUp() {
  const inputs: Input[] = [];
  const engine = { submit: (input: Input) => void inputs.push(input) };
  const streams = taskStreams({
    engine: () => engine as never,
    clock: fakeClock(),
    log: silentLog,
  });

  function open(member: string, reads: boolean) {
    const written: TaskMessage[] = [];
    let hello = true;
    const never = new Promise<never>(() => {});
    const stream: AttendStream = {
      read: () => {
        if (!hello) return never;
        hello = false;
        return Promise.resolve({ kind: "hello", hello: { version: 1 } } as never);
      },
      write: (message) => {
        written.push(message);
        return reads ? Promise.resolve() : never;
      },
      signal: new AbortController().signal,
    };
    const served = streams.serve(stream, { member: member as Name } as MemberPeer);
    return { written, served };
  }
  return { streams, inputs, open };
}

const cancel = {
  kind: "cancel",
  key: { sessionId: "a" as never, round: 1, attempt: 1 },
  reason: { code: "x", seen: "", wanted: "" },
} as const;

test("a task for a thousand clients is written in slices, with turns of the event loop between", async () => {
  const { streams, inputs, open } = setUp();
  const clients = Array.from({ length: 1000 }, (_, i) => open(`client-${i}`, true));
  await until(() => inputs.length === 1000);
  streams.send(
    clients.map((_, i) => i + 1),
    cancel,
  );
  const reached = () => clients.filter(({ written }) => written.length > 0).length;
  const perTurn: number[] = [];
  while (reached() < 1000) {
    const before = reached();
    await new Promise((resolve) => setImmediate(resolve));
    perTurn.push(reached() - before);
  }
  expect(perTurn.length).toBeGreaterThan(10);
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(200);
});

test("tasks for one client arrive in the order they were sent, slices or not", async () => {
  const { streams, inputs, open } = setUp();
  const clients = Array.from({ length: 200 }, (_, i) => open(`client-${i}`, true));
  await until(() => inputs.length === 200);
  const ids = clients.map((_, i) => i + 1);
  for (let round = 1; round <= 5; round += 1) {
    streams.send(ids, { ...cancel, key: { ...cancel.key, round } });
  }
  await until(() => clients.every(({ written }) => written.length === 5));
  for (const { written } of clients) {
    expect(written.map(({ cancel: task }) => task?.roundKey?.round)).toEqual([1, 2, 3, 4, 5]);
  }
});

test("a client that does not read is cut off when too many tasks wait, and only that one", async () => {
  const { streams, inputs, open } = setUp();
  const deaf = open("deaf", false);
  const good = open("good", true);
  await until(() => inputs.length === 2);
  let ended: unknown;
  deaf.served.catch((error: unknown) => {
    ended = error;
  });
  for (let i = 0; i < MAX_WAITING_TASKS; i += 1) {
    streams.send([1, 2], cancel);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(ended).toBeUndefined();
  streams.send([1, 2], cancel);
  streams.send([1, 2], cancel);
  await until(() => ended !== undefined);
  expect(ended).toBeInstanceOf(RefusedError);
  expect((ended as RefusedError).refusals[0]?.code).toBe("not-reading");
  expect(good.written.length).toBe(MAX_WAITING_TASKS + 2);
  expect(inputs.at(-1)).toEqual({ kind: "client-left", member: "deaf", stream: 1 });
});

test("closing ends every stream well, after what was sent before", async () => {
  const { streams, inputs, open } = setUp();
  const clients = Array.from({ length: 100 }, (_, i) => open(`client-${i}`, true));
  await until(() => inputs.length === 100);
  streams.send(
    clients.map((_, i) => i + 1),
    cancel,
  );
  await streams.closeAll();
  await Promise.all(clients.map(({ served }) => served));
  expect(clients.every(({ written }) => written.length === 1)).toBe(true);
});
