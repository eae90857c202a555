import type { TLSSocket } from "node:tls";
import { afterEach, expect, test } from "vitest";
import type { FirstContact } from "../first-contact.ts";
import { closed, openTls } from "../testing/hostile-client.ts";
import { testFederation } from "../testing/test-federation.ts";

const federation = testFederation();
afterEach(() => federation.close());

const FRAME_BYTES = 64;

/** As evidence will: the connector sends a frame, the listener answers, then HTTP/2 starts on the same socket. */
const exchange =
  (seen: Buffer[]): FirstContact =>
  async (socket, end) => {
    const exported = socket.exportKeyingMaterial(FRAME_BYTES, "EXPORTER-test", Buffer.alloc(0));
    if (end === "connector") await send(socket, exported);
    seen.push(await readFrame(socket));
    if (end === "listener") await send(socket, exported);
  };

const send = (socket: TLSSocket, bytes: Buffer): Promise<void> =>
  new Promise((resolve) => socket.write(bytes, () => resolve()));

async function readFrame(socket: TLSSocket): Promise<Buffer> {
  for (;;) {
    const bytes: Buffer | null = socket.read(FRAME_BYTES);
    if (bytes !== null) return bytes;
    await new Promise((resolve) => socket.once("readable", resolve));
  }
}

test("frames can be exchanged between TLS and HTTP/2, on every connection", async () => {
  const listenerSaw: Buffer[] = [];
  const connectorSaw: Buffer[] = [];
  const listener = await federation.listen(
    { "Provisioning.Join": { callers: ["client"], handle: async () => ({}) } },
    { firstContact: exchange(listenerSaw) },
  );
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      federation
        .connect(listener, federation.identity("client", `c${i}`), {
          firstContact: exchange(connectorSaw),
        })
        .unary("Provisioning.Join", {}),
    ),
  );
  const sorted = (frames: Buffer[]) => frames.map((each) => each.toString("hex")).sort();
  expect(connectorSaw).toHaveLength(20);
  expect(sorted(connectorSaw)).toEqual(sorted(listenerSaw));
});

test("a peer that first contact refuses is neither served nor called", async () => {
  const listener = await federation.listen(
    { "Provisioning.Join": { callers: ["client"], handle: async () => ({}) } },
    { firstContact: () => Promise.reject(new Error("no evidence")) },
  );
  const connection = federation.connect(listener, federation.identity("client", "c"));
  await expect(connection.unary("Provisioning.Join", {})).rejects.toMatchObject({ code: "closed" });
});

test("peers that leave during first contact harm nobody", async () => {
  let ended = 0;
  const listener = await federation.listen(
    { "Provisioning.Join": { callers: ["client"], handle: async () => ({}) } },
    {
      firstContact: async () => {
        for (let i = 0; i < 30; i += 1) await new Promise((resolve) => setImmediate(resolve));
        ended += 1;
      },
    },
  );
  const identity = federation.identity("client", "c");
  for (let i = 0; i < 20; i += 1) {
    const socket = await openTls({ host: listener.host, port: listener.port, identity });
    socket.removeAllListeners("error").on("error", () => {});
    if (i % 2 === 0) socket.destroy();
    else socket.end("PRI * HTTP/2.0");
    await closed(socket);
  }
  expect(ended).toBeGreaterThan(0);
  while (listener.connectionCount() > 0) await new Promise((resolve) => setImmediate(resolve));
  await federation.connect(listener, identity).unary("Provisioning.Join", {});
});
