/** The real reducer under every attack on every rpc, by members of every role: it must go on serving, unchanged. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Role } from "../../../lib/base/ids.ts";
import { parseAddress } from "../../../lib/transport/address.ts";
import type { Membership } from "../../../lib/transport/membership.ts";
import { RPC_NAMES, RPCS, rpcPath } from "../../../lib/transport/rpcs.ts";
import {
  CALL_ATTACKS,
  CONNECTION_ATTACKS,
  callOutcome,
  grpcFrame,
  noise,
  openHttp2,
  rawCall,
} from "../../../lib/transport/testing/hostile-client.ts";
import { fedclave } from "../../../proto/generated/fedclave.js";
import { TestFederation } from "../testing/federation.ts";

let federation: TestFederation;
const members = new Map<Role, Membership>();

beforeAll(async () => {
  federation = await TestFederation.found();
  for (const role of ["admin", "client", "combiner"] as const) {
    members.set(role, await federation.join(await federation.enrol(role, `${role}-1`)));
  }
});

afterAll(() => federation.remove());

const target = (role: Role) => ({
  ...parseAddress(String(federation.role?.ready.address)),
  identity: members.get(role)!.identity(),
});

async function expectUnchanged(): Promise<void> {
  const admin = members.get("admin")!.reducer;
  const { members: list } = await admin.unary("Members.List", {});
  expect(list.map(({ member }) => member).sort()).toEqual(["admin-1", "client-1", "combiner-1"]);
  expect((await admin.unary("Sessions.List", {})).sessions).toEqual([]);
  expect((await admin.unary("Models.List", {})).models).toEqual([]);
}

test.each(CONNECTION_ATTACKS)("the reducer outlives $name", async ({ run }) => {
  await run(target("client"));
  await expectUnchanged();
});

const SERVED = RPC_NAMES.filter((name) => name !== "Tasks.Attend");

describe.each(SERVED)("%s", (name) => {
  const callers = RPCS[name].callers.filter((each): each is Role => each !== "joining");

  test.each(CALL_ATTACKS)("outlives $name from every role that may call it", async ({ run }) => {
    for (const role of callers) {
      const session = await openHttp2(target(role));
      await run(session, rpcPath(name));
      session.destroy();
    }
    await expectUnchanged();
  });
});

describe("well-formed messages that mean nothing", () => {
  const { CombinerMessage, UploadRequest, StartSessionRequest, JoinRequest } = fedclave.v1;
  const sessionId = "a".repeat(26);
  const roundKey = { sessionId, round: 1, attempt: 1 };
  const hello = {
    hello: { version: 1, address: "a:1", instanceId: new Uint8Array(16), maxClients: 1 },
  };
  const upload = (subject: fedclave.v1.UploadHeader.$Properties, sizeBytes = 10) => ({
    header: { version: 1, sizeBytes, digest: new Uint8Array(32), ...subject },
  });

  test.each<[string, Role, (typeof SERVED)[number], Uint8Array[]]>([
    [
      "two hellos",
      "combiner",
      "Coordination.Attach",
      [hello, hello].map((m) => CombinerMessage.encode(m).finish()),
    ],
    [
      "a report before the hello",
      "combiner",
      "Coordination.Attach",
      [CombinerMessage.encode({ clientLeft: { member: "x" } }).finish()],
    ],
    [
      "a fold for a session that is not",
      "combiner",
      "Coordination.Attach",
      [
        CombinerMessage.encode(hello).finish(),
        CombinerMessage.encode({
          updateFolded: { roundKey, leaseEpoch: 1, member: "client-1", exampleCount: 1 },
        }).finish(),
      ],
    ],
    [
      "a member that is not",
      "combiner",
      "Coordination.Attach",
      [
        CombinerMessage.encode(hello).finish(),
        CombinerMessage.encode({ clientAttended: { member: "made-up" } }).finish(),
      ],
    ],
    [
      "a name with a newline",
      "combiner",
      "Coordination.Attach",
      [
        CombinerMessage.encode(hello).finish(),
        CombinerMessage.encode({ clientAttended: { member: "a\nb" } }).finish(),
      ],
    ],
    [
      "metrics that are no numbers",
      "combiner",
      "Coordination.Attach",
      [
        CombinerMessage.encode(hello).finish(),
        CombinerMessage.encode({
          clientValidation: {
            member: "client-1",
            sessionId,
            round: 1,
            modelHash: new Uint8Array(32),
            exampleCount: 1,
            metrics: [{ name: "accuracy", value: Number.NaN }],
          },
        }).finish(),
      ],
    ],
    [
      "a partial nobody asked for",
      "combiner",
      "Transfer.Upload",
      [UploadRequest.encode(upload({ partial: { roundKey, leaseEpoch: 1 } })).finish()],
    ],
    [
      "a model from a combiner",
      "combiner",
      "Transfer.Upload",
      [UploadRequest.encode(upload({ model: { name: "m" } })).finish()],
    ],
    [
      "a partial from an admin",
      "admin",
      "Transfer.Upload",
      [UploadRequest.encode(upload({ partial: { roundKey, leaseEpoch: 1 } })).finish()],
    ],
    [
      "a model larger than any may be",
      "admin",
      "Transfer.Upload",
      [UploadRequest.encode(upload({ model: { name: "m" } }, 2 ** 40)).finish()],
    ],
    [
      "a model named like a path",
      "admin",
      "Transfer.Upload",
      [UploadRequest.encode(upload({ model: { name: "../m" } })).finish()],
    ],
    [
      "a chunk before the header",
      "admin",
      "Transfer.Upload",
      [UploadRequest.encode({ chunk: noise(10) }).finish()],
    ],
    [
      "two headers",
      "admin",
      "Transfer.Upload",
      [upload({ model: { name: "m" } }), upload({ model: { name: "m" } })].map((m) =>
        UploadRequest.encode(m).finish(),
      ),
    ],
    [
      "a session without settings",
      "admin",
      "Sessions.Start",
      [StartSessionRequest.encode({}).finish()],
    ],
    [
      "a statement of noise",
      "client",
      "Provisioning.Join",
      [JoinRequest.encode({ version: 1, statement: noise(1000) }).finish()],
    ],
    [
      "a statement longer than any may be",
      "client",
      "Provisioning.Join",
      [JoinRequest.encode({ version: 1, statement: noise(900_000) }).finish()],
    ],
  ])("%s from a %s ends the call at most", async (_what, role, name, messages) => {
    const session = await openHttp2(target(role));
    const stream = rawCall(session, rpcPath(name));
    const outcome = callOutcome(stream);
    for (const message of messages) stream.write(grpcFrame(message));
    stream.end();
    await outcome;
    session.destroy();
    await expectUnchanged();
  });
});
