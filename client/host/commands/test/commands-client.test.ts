/** A client with --runtime command against a combiner of the test: the thread, its sandbox and real processes. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  commandArchive,
  model,
  sandboxesHere,
} from "../../../../compute-packages/command/testing/command-world.ts";
import { digestOf } from "../../../../lib/base/ids.ts";
import type { CommandsConfig } from "../../../service/commands-config.ts";
import { roundKey } from "../../../testing/client-world.ts";
import {
  type CombinerEvent,
  type FakeCombiner,
  serveModel,
} from "../../../testing/fake-combiner.ts";
import { type FakeFederation, startFakeFederation } from "../../../testing/fake-federation.ts";
import { type LogLine, startTestClient, type TestClient } from "../../../testing/test-client.ts";
import { tinyPackage } from "../../../testing/tiny-package.ts";
import { bundleForTests } from "../../../testing/trainer-bundle.ts";
import { pushCancel, pushTrain, pushValidate } from "../../../testing/wire-tasks.ts";

const bundle = bundleForTests({
  "client-commands": "../host/commands/commands-worker.ts",
  "client-trainer": "trainer-worker.ts",
});
const commands: CommandsConfig = {
  dangerouslyUnsandboxed: sandboxesHere.length === 0,
  pythonEnvironments: "refuse",
  tools: [],
  environment: {},
  limits: { seconds: 20 },
};

let federation: FakeFederation;
let combiner: FakeCombiner;
let clients: TestClient[];
beforeEach(async () => {
  clients = [];
  federation = await startFakeFederation();
  combiner = await federation.startCombiner("combiner-1");
  serveModel(combiner, model);
  federation.assignTo(combiner);
});
afterEach(async () => {
  await Promise.all(clients.map((each) => each.stop()));
  await federation.close();
});

async function start(config: CommandsConfig | undefined = commands) {
  const member = await federation.enrol("alice", new TextEncoder().encode("a,b\n1,2\n"));
  const client = startTestClient([member], bundle("client-commands"), config);
  clients.push(client);
  return { client, member };
}

const taskOf = (archive: Uint8Array) => ({
  model: digestOf(model),
  modelSizeBytes: model.byteLength,
  package: federation.addPackage(archive),
});
const is =
  <Kind extends CombinerEvent["kind"]>(kind: Kind) =>
  (event: CombinerEvent): event is Extract<CombinerEvent, { kind: Kind }> =>
    event.kind === kind;
type Said = Extract<CombinerEvent, { kind: "said" }>;
const says =
  (kind: string) =>
  (event: CombinerEvent): event is Said =>
    event.kind === "said" && event.message.kind === kind;
const logged = (name: string) => (line: LogLine) => line.event === name;

test("trains and validates a FEDn package; its output stays in the member's home", async () => {
  const { client, member } = await start();
  await client.started;
  expect(client.log.all.some(logged("commands.sandboxed"))).toBe(sandboxesHere.length > 0);
  const entries = { train: 'cat "$FEDN_DATA_PATH"; sh train.sh' };
  const task = taskOf(commandArchive({ entries }));
  combiner.push("alice", pushTrain(roundKey(1), task));
  const { header, isSigned } = await combiner.events.take(is("uploaded"));
  expect([Number(header.exampleCount), isSigned]).toEqual([5, true]);
  combiner.push("alice", pushValidate(roundKey(1), task));
  const { message } = await combiner.events.take(says("validationReport"));
  expect(message.validationReport?.metrics).toMatchObject([{ name: "loss", value: 0.5 }]);
  const output = path.join(member.home, "command-output");
  expect((await readdir(output)).toSorted()).toEqual(["train.txt", "validate.txt"]);
  expect(await readFile(path.join(output, "train.txt"), "utf8")).toBe(
    "# train: done; 8 bytes of output\na,b\n1,2\n",
  );
});

test("a package that fails costs the round its update and nothing else; the owner alone sees why", async () => {
  const { client, member } = await start();
  await client.started;
  const bad = taskOf(commandArchive({ entries: { train: "echo patient 17 >&2; exit 3; true" } }));
  combiner.push("alice", pushTrain(roundKey(1), bad));
  const { message } = await combiner.events.take(says("taskFailed"));
  expect(message.taskFailed?.refusals).toMatchObject([
    { code: "command-failed", seen: "see the client's log" },
  ]);
  const line = await client.log.take(logged("command.failed"));
  expect(line.fields.error).toMatch(/status 3.*patient 17/s);
  const failure = await readFile(path.join(member.home, "command-output", "failure.txt"), "utf8");
  expect(failure).toBe("# train: failed: command-failed; 11 bytes of output\npatient 17\n");
  combiner.push("alice", pushTrain(roundKey(2), taskOf(commandArchive())));
  await combiner.events.take(is("uploaded"));
});

test("a training that is cancelled ends at once, and the next one begins", async () => {
  const { client } = await start();
  await client.started;
  const slow = taskOf(commandArchive({ entries: { train: "sleep 600; true" } }));
  combiner.push("alice", pushTrain(roundKey(1), slow));
  await combiner.events.take(is("served"));
  combiner.push("alice", pushCancel(roundKey(1)));
  combiner.push("alice", pushTrain(roundKey(2), taskOf(commandArchive())));
  await combiner.events.take(is("uploaded"));
});

describe("a session has one package, and each client one runtime", () => {
  test("a client for commands refuses graphs and says so", async () => {
    const { client } = await start();
    await client.started;
    combiner.push("alice", pushTrain(roundKey(1), taskOf(tinyPackage())));
    const { message } = await combiner.events.take(says("taskFailed"));
    expect(message.taskFailed?.refusals?.map(({ code }) => code)).toEqual(["wrong-runtime"]);
  });

  test("a client for graphs refuses commands and says so", async () => {
    const member = await federation.enrol("alice", new Uint8Array(8));
    const client = startTestClient([member], bundle("client-trainer"));
    clients.push(client);
    await client.started;
    combiner.push("alice", pushTrain(roundKey(1), taskOf(commandArchive())));
    const { message } = await combiner.events.take(says("taskFailed"));
    expect(message.taskFailed?.refusals).toMatchObject([
      { code: "wrong-runtime", seen: expect.stringMatching(/runtime command/) },
    ]);
  });
});

test("without a sandbox it runs only where the owner says so, and says it loudly", async () => {
  const { client } = await start({ ...commands, dangerouslyUnsandboxed: true });
  await client.started;
  const line = await client.log.take(logged("commands.DANGEROUSLY-UNSANDBOXED"));
  expect(line.level).toBe("warn");
  combiner.push("alice", pushTrain(roundKey(1), taskOf(commandArchive())));
  await combiner.events.take(is("uploaded"));
});
