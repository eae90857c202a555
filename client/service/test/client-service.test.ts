import { readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Digest, digestOf } from "../../../lib/base/ids.ts";
import { LASTING_VISIT_MS } from "../../core/attendance.ts";
import { roundKey } from "../../testing/client-world.ts";
import { type CombinerEvent, type FakeCombiner, serveModel } from "../../testing/fake-combiner.ts";
import { type FakeFederation, startFakeFederation } from "../../testing/fake-federation.ts";
import { type LogLine, startTestClient, type TestClient } from "../../testing/test-client.ts";
import {
  TINY_EXAMPLES,
  tinyData,
  tinyManyExamples,
  tinyMisfit,
  tinyModel,
  tinyPackage,
} from "../../testing/tiny-package.ts";
import { bundleForTests } from "../../testing/trainer-bundle.ts";
import {
  type PushedTask,
  pushCancel,
  pushCommitted,
  pushLongTrain,
  pushTrain,
  pushValidate,
} from "../../testing/wire-tasks.ts";
import type { MemberConfig } from "../config.ts";

const bundle = bundleForTests({ "client-trainer": "trainer-worker.ts" });
const model = tinyModel();

let federation: FakeFederation;
let combiner: FakeCombiner;
let task: PushedTask;
let clients: TestClient[];

beforeEach(async () => {
  clients = [];
  federation = await startFakeFederation();
  combiner = await startCombiner("combiner-1");
  federation.assignTo(combiner);
  task = {
    model: digestOf(model),
    modelSizeBytes: model.byteLength,
    package: federation.addPackage(tinyPackage()),
  };
});
afterEach(async () => {
  await Promise.all(clients.map((each) => each.stop()));
  await federation.close();
});

async function startCombiner(name: string): Promise<FakeCombiner> {
  const started = await federation.startCombiner(name);
  serveModel(started, model);
  return started;
}

function start(...members: MemberConfig[]): TestClient {
  const client = startTestClient(members, bundle("client-trainer"));
  clients.push(client);
  return client;
}

/** A client "alice" that attends. */
async function attending(data = tinyData()): Promise<TestClient> {
  const client = start(await federation.enrol("alice", data));
  await client.started;
  return client;
}

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

const tasksRun = (client: TestClient) =>
  client.log.all.filter((line) => line.event === "task.ended").map((line) => line.fields.task);

describe("finding a combiner", () => {
  test("attends the combiner it was assigned, under its assignment's epoch", async () => {
    const client = await attending();
    const attended = await combiner.events.take(is("attended"));
    expect(attended).toEqual({ kind: "attended", member: "alice", epoch: 1 });
    expect((await client.started).ready).toEqual({ members: ["alice"] });
  });

  test("a combiner with another key than the assignment's is refused, reported and not talked to", async () => {
    federation.assignTo(combiner, "0".repeat(64) as Digest);
    const client = start(await federation.enrol("alice", tinyData()));
    const line = await client.log.take(logged("combiner.refused"));
    expect(line).toMatchObject({ level: "warn", fields: { combiner: "combiner-1" } });
    await client.endRest();
    const asked = await federation.events.take(
      (event) => event.kind === "asked" && event.unreachable !== "",
    );
    expect(asked).toMatchObject({ unreachable: "combiner-1" });
    expect(combiner.events.all).toEqual([]);
    federation.assignTo(combiner);
    await client.endRest(500);
    await combiner.events.take(is("attended"));
  });

  test("without a combiner it asks ever more rarely, and attends the first that comes", async () => {
    federation.assignTo(undefined);
    const client = start(await federation.enrol("alice", tinyData()));
    const delays: number[] = [];
    for (const withinMs of [250, 500, 1000]) {
      await federation.events.take((event) => event.kind === "asked");
      delays.push(await client.endRest(withinMs));
    }
    expect(delays.map((delayMs) => Math.round(delayMs / 125))).toEqual([2, 4, 8]);
    federation.assignTo(combiner);
    await client.endRest(2000);
    await combiner.events.take(is("attended"));
  });

  test("after losing its combiner it attends another one", async () => {
    const client = await attending();
    await client.clock.advance(LASTING_VISIT_MS);
    const second = await startCombiner("combiner-2");
    federation.assignTo(second);
    await combiner.kill();
    await second.events.take(is("attended"));
    const asked = federation.events.all.filter((event) => event.kind === "asked");
    expect(asked.map(({ unreachable }) => unreachable)).toEqual(["", "combiner-1"]);
  });

  test("a combiner that asks to leave is left for the next assignment", async () => {
    const client = await attending();
    await client.clock.advance(LASTING_VISIT_MS);
    const second = await startCombiner("combiner-2");
    federation.assignTo(second);
    combiner.push("alice", { reassign: { reason: { code: "draining", seen: "", wanted: "" } } });
    await second.events.take(is("attended"));
    await combiner.events.take(is("left"));
  });

  test("a task that cannot be ends the visit", async () => {
    const client = await attending();
    combiner.push("alice", pushTrain(roundKey(1), task, { sessionSeed: new Uint8Array(31) }));
    const line = await client.log.take(logged("combiner.left"));
    expect(JSON.stringify(line.fields)).toContain("session_seed");
  });
});

describe("training", () => {
  test("uploads a signed update of the examples it has, on the model it was given", async () => {
    await attending();
    combiner.push("alice", pushTrain(roundKey(1), task));
    await combiner.events.take(says("taskStarted"));
    const { header, body, isSigned } = await combiner.events.take(is("uploaded"));
    expect(isSigned).toBe(true);
    expect(header).toMatchObject({
      version: 1,
      member: "alice",
      roundKey: roundKey(1),
      exampleCount: TINY_EXAMPLES,
      sizeBytes: body.byteLength,
    });
    expect(Buffer.from(header.baseModelHash).toString("hex")).toBe(task.model);
    expect(Buffer.from(header.updateDigest).toString("hex")).toBe(digestOf(body));
  });

  test("a restarted client makes the same update, byte for byte, without fetching the package again", async () => {
    const member = await federation.enrol("alice", tinyData());
    const bodies: Uint8Array[] = [];
    for (const _ of [1, 2]) {
      const client = start(member);
      await client.started;
      combiner.push("alice", pushTrain(roundKey(3), task));
      bodies.push((await combiner.events.take(is("uploaded"))).body);
      await client.stop();
      await combiner.events.take(is("left"));
    }
    expect(bodies[1]).toEqual(bodies[0]);
    expect(federation.events.all.filter((event) => event.kind === "served")).toHaveLength(1);
  });

  test("a package damaged on disk is fetched again, not run", async () => {
    const member = await federation.enrol("alice", tinyData());
    const first = start(member);
    await first.started;
    combiner.push("alice", pushTrain(roundKey(1), task));
    await combiner.events.take(is("uploaded"));
    await first.stop();
    await combiner.events.take(is("left"));
    const folder = path.join(member.home, "cache", "packages");
    const [file = ""] = await readdir(folder);
    await writeFile(path.join(folder, file), tinyPackage().subarray(0, 600));
    await start(member).started;
    combiner.push("alice", pushTrain(roundKey(2), task));
    await combiner.events.take(is("uploaded"));
    expect(federation.events.all.filter((event) => event.kind === "served")).toHaveLength(2);
  });

  test("an update is uploaded again after its combiner was lost, without training again", async () => {
    const client = await attending();
    combiner.push("alice", pushTrain(roundKey(1), task));
    const first = await combiner.events.take(is("uploaded"));
    await client.log.take(logged("update.staged"));
    await client.clock.advance(LASTING_VISIT_MS);
    const second = await startCombiner("combiner-2");
    federation.assignTo(second);
    await combiner.kill();
    await second.events.take(is("attended"));
    second.push("alice", pushTrain(roundKey(1), task));
    const again = await second.events.take(is("uploaded"));
    expect(again.body).toEqual(first.body);
    expect(tasksRun(client)).toEqual(["train"]);
  });

  test("a refusal that passes is tried again after a while; one for good is not", async () => {
    const client = await attending();
    combiner.refuseNext.push("busy");
    combiner.push("alice", pushTrain(roundKey(1), task));
    await client.log.take(logged("update.not-staged"));
    await client.endRest();
    await combiner.events.take(is("uploaded"));

    combiner.refuseNext.push("non-finite");
    combiner.push("alice", pushTrain(roundKey(2), task));
    await client.log.take(logged("update.not-staged"));
    combiner.push("alice", pushTrain(roundKey(3), task));
    expect((await combiner.events.take(is("uploaded"))).header.roundKey.round).toBe(3);
    expect(combiner.events.all.filter(is("offered"))).toHaveLength(4);
  });

  test("a model that the combiner does not have yet is asked for again", async () => {
    const client = await attending();
    combiner.refuseModels.push("unknown-model");
    combiner.push("alice", pushTrain(roundKey(1), task));
    await client.log.take(logged("task.ended"));
    await client.endRest();
    await combiner.events.take(is("uploaded"));
  });

  test("a cancelled round is neither finished nor uploaded, and the client takes the next task", async () => {
    await attending(tinyManyExamples());
    combiner.push("alice", pushLongTrain(roundKey(1), task));
    await combiner.events.take(says("taskStarted"));
    combiner.push("alice", pushCancel(roundKey(1)));
    combiner.push(
      "alice",
      pushTrain(roundKey(2), task, {
        limits: { elementBound: 8, weightCap: 1e6, gridExponent: 9 },
      }),
    );
    const uploaded = await combiner.events.take(is("uploaded"));
    expect(uploaded.header.roundKey.round).toBe(2);
    expect(combiner.events.all.filter(is("uploaded"))).toHaveLength(1);
  });

  test.each<[string, () => Uint8Array, Partial<PushedTask>, string]>([
    ["data that does not fit the package", tinyMisfit, {}, "data-shape-differs"],
    ["a package nobody has", tinyData, { package: "0".repeat(64) as Digest }, "unknown-package"],
  ])("%s is reported as a failed task, and the client stays", async (_, data, changes, code) => {
    await attending(data());
    combiner.push("alice", pushTrain(roundKey(1), { ...task, ...changes }));
    const { message } = await combiner.events.take(says("taskFailed"));
    expect(message.taskFailed?.roundKey).toMatchObject(roundKey(1));
    expect(message.taskFailed?.refusals?.map((each) => each.code)).toEqual([code]);
    expect(combiner.events.all.filter(is("left"))).toEqual([]);
  });
});

describe("validation", () => {
  test("reports the package's metrics on the model it was asked about", async () => {
    await attending();
    combiner.push("alice", pushValidate(roundKey(4), task));
    const { message } = await combiner.events.take(says("validationReport"));
    const report = message.validationReport;
    expect(report).toMatchObject({ ...sessionAndRound(4), exampleCount: TINY_EXAMPLES });
    expect(Buffer.from(report?.modelHash ?? []).toString("hex")).toBe(task.model);
    expect(report?.metrics?.map(({ name }) => name)).toEqual(["loss", "accuracy"]);
  });

  const sessionAndRound = (round: number) => {
    const { sessionId } = roundKey(round);
    return { sessionId, round };
  };
});

describe("several members in one process", () => {
  test("fetch package and model once, and make different updates", async () => {
    const members = [
      await federation.enrol("alice", tinyData()),
      await federation.enrol("bob", tinyData()),
    ];
    await start(...members).started;
    for (const member of ["alice", "bob"]) {
      combiner.push(member, pushTrain(roundKey(1), task));
    }
    const uploads = [
      await combiner.events.take(is("uploaded")),
      await combiner.events.take(is("uploaded")),
    ];
    expect(new Set(uploads.map(({ member }) => member))).toEqual(new Set(["alice", "bob"]));
    expect(uploads[0]?.body).not.toEqual(uploads[1]?.body);
    expect(combiner.events.all.filter(is("served"))).toHaveLength(1);
    expect(federation.events.all.filter((event) => event.kind === "served")).toHaveLength(1);
  });

  test("one whom the reducer refuses does not stop the other", async () => {
    federation.banned.add("bob");
    const client = start(
      await federation.enrol("bob", tinyData()),
      await federation.enrol("alice", tinyData()),
    );
    expect((await client.started).ready).toEqual({ members: ["alice"] });
    const line = await client.log.take(logged("member.refused"));
    expect(line).toMatchObject({ fields: { member: "bob" } });
    combiner.push("alice", pushTrain(roundKey(1), task));
    await combiner.events.take(is("uploaded"));
  });

  test("when the reducer refuses all, the client fails and says why", async () => {
    federation.banned.add("alice");
    const client = start(await federation.enrol("alice", tinyData()));
    await expect(client.started).rejects.toMatchObject({
      code: "all-refused",
      message: expect.stringMatching(/alice cannot join .*role-not-permitted/),
    });
  });
});

describe("what cannot start", () => {
  test("a home without a key is named", async () => {
    const member = await federation.enrol("alice", tinyData());
    const client = start({ ...member, home: `${member.home}-absent` });
    await expect(client.started).rejects.toMatchObject({ code: "missing-file" });
  });

  test("data that is not there is named", async () => {
    const member = await federation.enrol("alice", tinyData());
    const client = start({ ...member, data: `${member.data}-absent` });
    await expect(client.started).rejects.toMatchObject({
      code: "data-unreadable",
      message: expect.stringContaining("-absent"),
    });
  });

  test("one member twice is refused", async () => {
    const member = await federation.enrol("alice", tinyData());
    await expect(start(member, member).started).rejects.toMatchObject({ code: "homes-clash" });
  });
});

test("the log of a whole round holds no seed, no metric and no figure of the data", async () => {
  const client = await attending();
  combiner.push("alice", pushTrain(roundKey(1), task));
  await combiner.events.take(is("uploaded"));
  await client.log.take(logged("update.staged"));
  combiner.push("alice", pushCommitted(roundKey(1), task.model));
  combiner.push("alice", pushValidate(roundKey(1), task));
  await combiner.events.take(says("validationReport"));
  const allowed = new Set(
    "address attempt combiner durationMs error how member outcome packageDigest refused round sessionId sizeBytes task rpc".split(
      " ",
    ),
  );
  const fields = new Set(client.log.all.flatMap((line) => Object.keys(line.fields)));
  expect([...fields].filter((field) => !allowed.has(field))).toEqual([]);
  const text = JSON.stringify(client.log.all);
  expect(text).not.toMatch(/a5a5a5|165,165|loss|accuracy/);
});
