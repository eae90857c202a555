import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../../base/ids.ts";
import { CHUNK_BYTES, MIB } from "../../base/limits.ts";
import type { Connection } from "../connect.ts";
import { bytesSource, type DownloadSource, receiveDownload, serveDownload } from "../download.ts";
import { GrantQueue } from "../grants.ts";
import { noise } from "../testing/hostile-client.ts";
import { type TestFederation, testFederation } from "../testing/test-federation.ts";

const object = noise(3 * CHUNK_BYTES + 7);
const digest = digestOf(object);

let federation: TestFederation;
let connection: Connection;
let source: DownloadSource;
let places: GrantQueue;

beforeEach(async () => {
  federation = testFederation();
  source = bytesSource(object);
  places = new GrantQueue({ maxGranted: 1, maxWaiting: 1 });
  const listener = await federation.listen({
    "Transfer.Download": {
      callers: ["client"],
      handle: ({ offsetBytes }, _peer, stream) =>
        serveDownload(stream, source, { offsetBytes, clock: federation.clock, places }),
    },
  });
  connection = federation.connect(listener, federation.identity("client", "client-1"));
});
afterEach(() => federation.close());

const fetchWith = (options: { digest?: typeof digest; maxSizeBytes?: number } = {}) =>
  receiveDownload(connection, {
    kind: "model",
    digest,
    maxSizeBytes: object.byteLength,
    clock: federation.clock,
    ...options,
  });

test("an object arrives whole", async () => {
  expect(Buffer.from(await fetchWith()).equals(object)).toBe(true);
  expect(places.grantedCount).toBe(0);
});

test("an empty object arrives", async () => {
  source = bytesSource(new Uint8Array());
  expect(await fetchWith({ digest: digestOf() })).toHaveLength(0);
});

describe("the receiver refuses", () => {
  test.each<[string, () => Promise<unknown>, string]>([
    ["an object larger than it may be", () => fetchWith({ maxSizeBytes: 7 }), "wrong-content"],
    ["other bytes", () => fetchWith({ digest: digestOf(Buffer.from("x")) }), "wrong-content"],
    [
      "an object that ends early",
      () => {
        source = { ...source, read: async () => new Uint8Array(1) };
        return fetchWith();
      },
      "wrong-content",
    ],
    [
      "more bytes than were announced",
      () => {
        source = { ...source, read: async () => noise(MIB) };
        return fetchWith();
      },
      "unexpected-message",
    ],
  ])("%s", async (_what, fetch, code) => {
    await expect(fetch()).rejects.toMatchObject({ name: "TransportError", code });
  });
});

test.each([-1, object.byteLength + 1, 2 ** 53])(
  "an offset of %d is refused",
  async (offsetBytes) => {
    const stream = connection.serverStream("Transfer.Download", { offsetBytes });
    await expect(stream.read()).rejects.toMatchObject({
      refusals: [{ code: "offset-out-of-range" }],
    });
  },
);

test("the rest of an object is sent from an offset on", async () => {
  const offsetBytes = object.byteLength - 5;
  const stream = connection.serverStream("Transfer.Download", { offsetBytes });
  expect((await stream.read())?.header?.sizeBytes).toBe(object.byteLength);
  expect(Buffer.from((await stream.read())!.chunk!)).toEqual(object.subarray(offsetBytes));
  expect(await stream.read()).toBeUndefined();
});

test("a receiver that reads nothing loses its place to the next, and bounds what is read for it", async () => {
  let readCount = 0;
  const large = noise(CHUNK_BYTES);
  source = {
    sizeBytes: 1000 * MIB,
    read: async () => {
      readCount += 1;
      return large;
    },
  };
  const idle = connection.serverStream("Transfer.Download", { modelHash: new Uint8Array(32) });
  const settled = async () => {
    let before = -1;
    while (before !== readCount) {
      before = readCount;
      for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  while (readCount === 0) await new Promise((resolve) => setImmediate(resolve));
  await settled();
  // The window of 8 MiB, 16 messages of 512 KiB ahead of the reader, and a few on their way.
  expect(readCount * CHUNK_BYTES).toBeLessThan(24 * MIB);
  source = bytesSource(object);
  const next = fetchWith();
  while (places.waitingCount === 0) await new Promise((resolve) => setImmediate(resolve));
  await federation.clock.advance(30_000);
  expect(Buffer.from(await next).equals(object)).toBe(true);
  idle.cancel();
});
