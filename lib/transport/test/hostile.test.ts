import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Role } from "../../base/ids.ts";
import type { Listener } from "../listen.ts";
import { RPC_NAMES, RPCS, rpcPath } from "../rpcs.ts";
import {
  CALL_ATTACKS,
  CONNECTION_ATTACKS,
  callOutcome,
  grpcFrame,
  openHttp2,
  rawCall,
} from "../testing/hostile-client.ts";
import { stubHandlers } from "../testing/stub-handlers.ts";
import { testFederation } from "../testing/test-federation.ts";

const federation = testFederation();
let listener: Listener;
beforeAll(async () => {
  listener = await federation.listen(stubHandlers(), { admitsJoining: true });
});
afterAll(() => federation.close());

const targetOf = (role: Role) => ({
  host: listener.host,
  port: listener.port,
  identity: federation.identity(role, `${role}-1`),
});

async function expectGoodCall(): Promise<void> {
  const connection = federation.connect(listener, federation.identity("admin", "admin-1"));
  expect(await connection.unary("Sessions.List", {})).toBeDefined();
  connection.close();
}

test.each(CONNECTION_ATTACKS)("a listener outlives $name", async ({ run }) => {
  await run(targetOf("client"));
  await expectGoodCall();
});

describe.each(RPC_NAMES)("%s", (name) => {
  const caller = RPCS[name].callers.find((each) => each !== "joining") as Role;

  test.each(CALL_ATTACKS)("outlives $name", async ({ run, mayEndWell }) => {
    const session = await openHttp2(targetOf(caller));
    const outcome = await run(session, rpcPath(name));
    if (!mayEndWell) expect(outcome.grpcStatus).not.toBe(0);
    const good = rawCall(session, rpcPath(name));
    const goodOutcome = callOutcome(good);
    good.end(grpcFrame(new Uint8Array()));
    expect((await goodOutcome).grpcStatus).toBe(0);
    session.destroy();
  });
});
