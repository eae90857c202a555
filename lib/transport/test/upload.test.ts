import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestBytes, digestOf } from "../../base/ids.ts";
import { CHUNK_BYTES, MAX_CHUNK_BYTES, MIB } from "../../base/limits.ts";
import { RefusedError, refusal } from "../../base/refusal.ts";
import { fakeClock } from "../../base/testing/fake-clock.ts";
import type { ClientStream, Connection } from "../connect.ts";
import { GrantQueue } from "../grants.ts";
import type { ReceivedResponseOf, RequestOf, SentRequestOf } from "../rpcs.ts";
import { sendUpload, type UploadProgress } from "../send-upload.ts";
import { serveUpload, type UploadPlan, type UploadStream } from "../serve-upload.ts";
import { noise } from "../testing/hostile-client.ts";
import { type TestFederation, testFederation } from "../testing/test-federation.ts";

type Sent = SentRequestOf<"Transfer.Upload">;
type Raw = ClientStream<ReceivedResponseOf<"Transfer.Upload">, Sent>;

const body = noise(CHUNK_BYTES + 12_345);
const digest = digestOf(body);
const header = { version: 1, sizeBytes: body.byteLength, digest: digestBytes(digest), model: {} };

let federation: TestFederation;
let connection: Connection;
let grants: GrantQueue;
let received: Buffer[];
let begunCount: number;
let finishedCount: number;
let abortedCount: number;
/** What the admitting side does; tests replace parts. */
let plan: UploadPlan;
let admit: () => UploadPlan;

beforeEach(async () => {
  federation = testFederation();
  grants = new GrantQueue({ maxGranted: 2, maxWaiting: 2 });
  received = [];
  begunCount = 0;
  finishedCount = 0;
  abortedCount = 0;
  plan = {
    begin: () => {
      begunCount += 1;
      return {
        write: (chunk) => void received.push(Buffer.from(chunk)),
        finish: async () => {
          finishedCount += 1;
        },
        abort: () => {
          abortedCount += 1;
        },
      };
    },
  };
  admit = () => plan;
  const listener = await federation.listen({
    "Transfer.Upload": {
      callers: ["client"],
      handle: (stream) =>
        serveUpload(stream, { grants, admit: () => admit(), clock: federation.clock }),
    },
  });
  connection = federation.connect(listener, federation.identity("client", "client-1"));
});
afterEach(() => federation.close());

async function open(first: Sent = { header }): Promise<Raw> {
  const stream = connection.bidi("Transfer.Upload");
  await stream.write(first);
  return stream;
}

async function granted(): Promise<Raw> {
  const stream = await open();
  expect((await stream.read())?.kind).toBe("grant");
  return stream;
}

/** The codes of the Refusals message and of the status after it, which must agree. */
async function refusedCodes(stream: Raw): Promise<string[]> {
  const answer = await stream.read();
  const told = answer?.refusals?.refusals?.map(({ code }) => code ?? "");
  const error = await stream.read().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RefusedError);
  expect((error as RefusedError).refusals.map(({ code }) => code)).toEqual(told);
  return told ?? [];
}

test("a body arrives whole, in order, and is staged", async () => {
  const progress: UploadProgress[] = [];
  await sendUpload(connection, { model: { name: "m" } }, body, digest, {
    onProgress: (step) => progress.push(step),
  });
  expect(Buffer.concat(received).equals(body)).toBe(true);
  expect([begunCount, finishedCount, abortedCount]).toEqual([1, 1, 0]);
  expect(progress.at(-1)).toEqual({ kind: "sending", sentBytes: body.byteLength });
  expect(grants.grantedCount).toBe(0);
});

describe("a header is refused", () => {
  test.each<[string, Sent, string[]]>([
    ["that is a chunk", { chunk: body.subarray(0, 10) }, ["chunk-before-grant"]],
    ["that is nothing", {}, ["unexpected-message"]],
    ["of another version", { header: { ...header, version: 2 } }, ["bad-upload-header"]],
    ["without size", { header: { ...header, sizeBytes: 0 } }, ["bad-upload-header"]],
    ["of 2^53 bytes", { header: { ...header, sizeBytes: 2 ** 53 } }, ["bad-upload-header"]],
    [
      "with half a digest",
      { header: { ...header, digest: body.subarray(0, 16) } },
      ["bad-upload-header"],
    ],
    ["without subject", { header: { ...header, model: null } }, ["bad-upload-header"]],
    [
      "with everything wrong",
      { header: {} },
      ["bad-upload-header", "bad-upload-header", "bad-upload-header", "bad-upload-header"],
    ],
  ])("%s", async (_what, first, codes) => {
    expect(await refusedCodes(await open(first))).toEqual(codes);
    expect(begunCount).toBe(0);
  });
});

describe("a body is refused", () => {
  test.each<[string, Sent[], string, number?]>([
    ["with an empty chunk", [{ chunk: new Uint8Array() }], "empty-chunk"],
    ["with a second header", [{ header }], "unexpected-message"],
    ["with an empty message", [{}], "unexpected-message"],
    ["past its size", [{ chunk: body }], "overrun", body.byteLength - 1],
    [
      "with a chunk past 1 MiB",
      [{ chunk: noise(MAX_CHUNK_BYTES + 1) }],
      "chunk-too-large",
      2 * MIB,
    ],
    ["that ends early", [{ chunk: body.subarray(1) }], "truncated"],
    ["of other bytes", [{ chunk: Buffer.from(body).fill(1, 5, 6) }], "digest-mismatch"],
  ])("%s", async (_what, messages, code, sizeBytes = body.byteLength) => {
    const stream = await open({ header: { ...header, sizeBytes } });
    expect((await stream.read())?.kind).toBe("grant");
    for (const message of messages) await stream.write(message);
    stream.endWrites();
    expect(await refusedCodes(stream)).toEqual([code]);
    expect([finishedCount, abortedCount, grants.grantedCount]).toEqual([0, 1, 0]);
  });

  test("that the sink refuses at its end", async () => {
    const begin = plan.begin;
    plan = {
      begin: async () => ({
        ...(await begin()),
        finish: () => Promise.reject(new RefusedError(refusal("non-finite", "NaN", "a number"))),
      }),
    };
    await expect(sendUpload(connection, { model: {} }, body, digest)).rejects.toMatchObject({
      refusals: [{ code: "non-finite" }],
    });
    expect([abortedCount, grants.grantedCount]).toEqual([1, 0]);
  });

  test("by a sink that refuses in the middle, and sending stops", async () => {
    const begin = plan.begin;
    plan = {
      begin: async () => ({
        ...(await begin()),
        write: () => Promise.reject(new RefusedError(refusal("no-round", "closed", "open"))),
      }),
    };
    const large = noise(40 * MIB);
    let sentBytes = 0;
    const sending = sendUpload(connection, { model: {} }, large, digestOf(large), {
      onProgress: (step) => {
        if (step.kind === "sending") sentBytes = step.sentBytes;
      },
    });
    await expect(sending).rejects.toMatchObject({ refusals: [{ code: "no-round" }] });
    expect(sentBytes).toBeLessThan(large.byteLength);
  });
});

test("what is not admitted takes no place and no memory", async () => {
  admit = () => {
    throw new RefusedError(refusal("stale-round", 1, 2), refusal("wrong-base", "a", "b"));
  };
  expect(await refusedCodes(await open())).toEqual(["stale-round", "wrong-base"]);
  expect(begunCount).toBe(0);
});

test("what is admitted no more when its turn comes is refused then", async () => {
  plan = {
    begin: () => {
      throw new RefusedError(refusal("stale-round", 1, 2));
    },
  };
  expect(await refusedCodes(await open())).toEqual(["stale-round"]);
  expect(grants.grantedCount).toBe(0);
});

describe("with every grant taken", () => {
  let holders: Raw[];
  beforeEach(async () => {
    holders = [await granted(), await granted()];
  });

  test("an upload waits, holds nothing, and is granted in its turn", async () => {
    const third = await open();
    expect((await third.read())?.wait?.queuePosition).toBe(1);
    const fourth = await open();
    expect((await fourth.read())?.wait?.queuePosition).toBe(2);
    expect(begunCount).toBe(2);
    holders[0]!.cancel();
    expect((await third.read())?.kind).toBe("grant");
    holders[1]!.cancel();
    expect((await fourth.read())?.kind).toBe("grant");
    expect(abortedCount).toBe(2);
  });

  test("one more than may wait is refused as busy", async () => {
    for (const stream of [await open(), await open()]) await stream.read();
    expect(await refusedCodes(await open())).toEqual(["busy"]);
  });

  test("a chunk before the grant is refused", async () => {
    const third = await open();
    await third.read();
    await third.write({ chunk: body.subarray(0, 1) });
    expect(await refusedCodes(third)).toEqual(["chunk-before-grant"]);
    expect(grants.waitingCount).toBe(0);
  });

  test("one that leaves while waiting is forgotten", async () => {
    const third = await open();
    await third.read();
    third.endWrites();
    expect(await refusedCodes(third)).toEqual(["truncated"]);
    expect(grants.waitingCount).toBe(0);
  });

  test("waiting is reported to the sender", async () => {
    const progress: UploadProgress[] = [];
    const sending = sendUpload(connection, { model: {} }, body, digest, {
      onProgress: (step) => {
        progress.push(step);
        if (step.kind === "waiting") holders[0]!.cancel();
      },
    });
    await sending;
    expect(progress[0]).toEqual({ kind: "waiting", queuePosition: 1 });
  });
});

describe("a slow sender loses its grant", () => {
  test("after half a minute of silence", async () => {
    const stream = await granted();
    await federation.clock.advance(29_999);
    expect(abortedCount).toBe(0);
    await federation.clock.advance(1);
    expect(await refusedCodes(stream)).toEqual(["too-slow"]);
    expect([abortedCount, grants.grantedCount]).toEqual([1, 0]);
  });

  test("when it trickles, however regularly", async () => {
    const stream = await granted();
    for (let i = 0; i < 6; i += 1) {
      await stream.write({ chunk: body.subarray(i, i + 1) }).catch(() => {});
      while (received.length <= i && abortedCount === 0) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      await federation.clock.advance(10_000);
    }
    expect(received.length).toBe(4);
    expect(await refusedCodes(stream)).toEqual(["too-slow"]);
  });
});

test("a sender that goes away frees everything", async () => {
  const stream = await granted();
  await stream.write({ chunk: body.subarray(0, 1000) });
  stream.cancel();
  while (abortedCount === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(grants.grantedCount).toBe(0);
});

describe("a peer that takes no byte", () => {
  /** Sends what it is given to send, and never has room for an answer. */
  function deafStream(...messages: readonly object[]): UploadStream {
    const waiting = [...messages] as RequestOf<"Transfer.Upload">[];
    const never = new Promise<never>(() => {});
    return {
      read: () => (waiting.length > 0 ? Promise.resolve(waiting.shift()) : never),
      write: () => never,
      signal: new AbortController().signal,
    };
  }
  const offer = { kind: "header", header: { ...header, subject: "model" } };
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  test("loses its grant when it does not take the grant", async () => {
    let aborted = 0;
    const clock = fakeClock();
    const queue = new GrantQueue({ maxGranted: 1, maxWaiting: 1 });
    const sink = { write: () => {}, finish: async () => {}, abort: () => void aborted++ };
    const serving = serveUpload(deafStream(offer), {
      grants: queue,
      admit: () => ({ begin: () => sink }),
      clock,
    });
    serving.catch(() => {});
    await settled();
    expect(queue.grantedCount).toBe(1);
    await clock.advance(30_000);
    await settled();
    expect([aborted, queue.grantedCount]).toEqual([1, 0]);
    await clock.advance(30_000);
    await expect(serving).rejects.toThrow(/too-slow/);
  });

  test("holds no place while it is told why it was refused", async () => {
    const clock = fakeClock();
    const queue = new GrantQueue({ maxGranted: 1, maxWaiting: 1 });
    const refusing = () => {
      throw new RefusedError(refusal("too-late", "now", "before"));
    };
    const serving = serveUpload(deafStream(offer), {
      grants: queue,
      admit: () => ({ begin: refusing }),
      clock,
    });
    serving.catch(() => {});
    await settled();
    expect(queue.grantedCount).toBe(0);
    await clock.advance(30_000);
    await expect(serving).rejects.toThrow(/too-late/);
  });
});
