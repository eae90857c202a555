import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { digestOf } from "../../../lib/base/ids.ts";
import { roundKey } from "../../testing/client-world.ts";
import { type FakeCombiner, serveModel } from "../../testing/fake-combiner.ts";
import { type FakeFederation, startFakeFederation } from "../../testing/fake-federation.ts";
import { tinyData, tinyManyExamples, tinyModel, tinyPackage } from "../../testing/tiny-package.ts";
import { bundleForTests } from "../../testing/trainer-bundle.ts";
import { type PushedTask, pushLongTrain, pushTrain } from "../../testing/wire-tasks.ts";
import type { MemberConfig } from "../config.ts";

const bundle = bundleForTests({ client: "main.ts", "client-trainer": "trainer-worker.ts" });
let federation: FakeFederation;
let combiner: FakeCombiner;
let task: PushedTask;
let children: ChildProcess[];
beforeEach(async () => {
  children = [];
  federation = await startFakeFederation();
  combiner = await federation.startCombiner("combiner-1");
  const model = serveModel(combiner, tinyModel());
  federation.assignTo(combiner);
  const modelSizeBytes = tinyModel().byteLength;
  task = { model, modelSizeBytes, package: federation.addPackage(tinyPackage()) };
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await federation.close();
});

type Exit = { readonly code: number | null; readonly stderr: string };

function startProcess(args: readonly string[]) {
  const child = spawn(process.execPath, [bundle("client"), ...args], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  children.push(child);
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const exited: Promise<Exit> = once(child, "close").then(([code]) => ({ code, stderr }));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, exited, firstLine: async () => (await lines.next()).value as string };
}

const startClient = ({ home, data }: MemberConfig, ...more: readonly string[]) =>
  startProcess(["--home", home, "--data", data, ...more]);

test("says that it is ready, trains, and ends cleanly on SIGTERM", async () => {
  const { child, exited, firstLine } = startClient(await federation.enrol("alice", tinyData()));
  expect(JSON.parse(await firstLine())).toEqual({
    ready: true,
    role: "client",
    members: ["alice"],
  });
  combiner.push("alice", pushTrain(roundKey(1), task));
  await combiner.events.take((event) => event.kind === "uploaded");
  child.kill("SIGTERM");
  expect((await exited).code).toBe(0);
});

test("ends cleanly in the middle of a training", async () => {
  const member = await federation.enrol("alice", tinyManyExamples());
  const { child, exited, firstLine } = startClient(member);
  await firstLine();
  combiner.push("alice", pushLongTrain(roundKey(1), task));
  await combiner.events.take((event) => event.kind === "said");
  await combiner.events.take((event) => event.kind === "served");
  child.kill("SIGTERM");
  expect((await exited).code).toBe(0);
});

test.each<[string, (child: ChildProcess) => void]>([
  ["on SIGTERM", (child) => child.kill("SIGTERM")],
  ["when standard input closes", (child) => child.stdin?.end()],
])("ends cleanly %s while it still waits for a combiner", async (_, stop) => {
  federation.assignTo(undefined);
  const member = await federation.enrol("alice", tinyData());
  const { child, exited } = startClient(member, "--until-stdin-closes");
  await federation.events.take((event) => event.kind === "asked");
  stop(child);
  expect((await exited).code).toBe(0);
});

test("killed in the middle of a training, it makes after its restart what it would have made", async () => {
  const member = await federation.enrol("alice", tinyData());
  const undisturbed = startClient(member);
  await undisturbed.firstLine();
  combiner.push("alice", pushTrain(roundKey(2), task));
  const isUploaded = (event: { kind: string }) => event.kind === "uploaded";
  const wanted = await combiner.events.take(isUploaded);
  combiner.push("alice", pushLongTrain(roundKey(3), task));
  await combiner.events.take((event) => event.kind === "said");
  undisturbed.child.kill("SIGKILL");
  await undisturbed.exited;

  const restarted = startClient(member);
  await restarted.firstLine();
  combiner.push("alice", pushTrain(roundKey(2), task));
  const again = await combiner.events.take(isUploaded);
  expect(bodyDigest(again)).toBe(bodyDigest(wanted));
});

const bodyDigest = (event: { kind: string; body?: Uint8Array }) =>
  digestOf(event.body ?? new Uint8Array());

test("wrong arguments end with 2 and the usage, a home that is none with 1 and one line to act on", async () => {
  const wrong = await startProcess(["--home", "somewhere"]).exited;
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain("usage: fedclave client --home DIR --data FILE");
  const absent = await startClient({ home: "/nonexistent", data: "/nonexistent" }).exited;
  expect(absent.code).toBe(1);
  expect(absent.stderr.trimEnd().split("\n").at(-1)).toMatch(
    /^fedclave client: \/nonexistent\/member\.key\.pem cannot be read; .*fedclave member enrol/,
  );
});
