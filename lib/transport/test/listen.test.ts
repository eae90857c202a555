import { afterEach, expect, test } from "vitest";
import { testFederation } from "../testing/test-federation.ts";

const federation = testFederation();
afterEach(() => federation.close());

test("smoke", async () => {
  const listener = await federation.listen({
    "Tasks.Attend": {
      callers: ["client"],
      handle: async (stream, peer) => {
        expect(peer.kind).toBe("member");
        for (;;) {
          const message = await stream.read();
          if (message === undefined) return;
          await stream.write({ welcome: { version: message.hello?.version ?? 0 } });
        }
      },
    },
  });
  const connection = federation.connect(listener, federation.identity("client", "client-1"));
  const stream = connection.bidi("Tasks.Attend");
  await stream.write({ hello: { version: 3 } });
  expect((await stream.read())?.welcome?.version).toBe(3);
  stream.endWrites();
  expect(await stream.read()).toBeUndefined();
  expect(stream.signal.aborted).toBe(true);
});
