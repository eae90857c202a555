import { describe, expect, test } from "vitest";
import { refusal } from "../../../lib/base/refusal.ts";
import {
  ClientWorld,
  roundKey,
  sessionOf,
  trainedOutcome,
  trainTask,
} from "../../testing/client-world.ts";
import { clientWakesAtMs } from "../client.ts";
import { PASSING_REFUSALS, type UploadOutcome } from "../kept-updates.ts";
import { MAX_SESSIONS } from "../task.ts";

const refused = (...codes: readonly string[]): UploadOutcome => ({
  kind: "refused",
  refusals: codes.map((code) => refusal(code, "this", "that")),
});
const staged: UploadOutcome = { kind: "staged" };
const broken: UploadOutcome = { kind: "broken" };

/** A client that attends and uploads its update of round 1. */
function uploading(): ClientWorld {
  const world = new ClientWorld().attend();
  world.receive(trainTask(roundKey(1)));
  world.endRun(trainedOutcome(roundKey(1)));
  return world;
}
const keptOf = (world: ClientWorld) => world.state.kept.bySession.get(sessionOf(0));

describe("what a refusal does to the update", () => {
  test.each([...PASSING_REFUSALS].map((code) => [code]))(
    "%s: it is kept and goes again after a while, without training",
    (code) => {
      const world = uploading();
      expect(world.endUpload(refused(code))).toEqual([]);
      expect(keptOf(world)?.status).toBe("wanted");
      expect(world.advance(249)).toEqual([]);
      expect(world.advance(1)).toEqual(["upload"]);
      expect(world.all("run")).toHaveLength(1);
    },
  );

  test.each([
    ["non-finite"],
    ["element-too-large"],
    ["norm-too-large"],
    ["wrong-layout"],
    ["wrong-base"],
    ["weight-out-of-range"],
    ["stale-round"],
    ["model-too-large"],
    ["some-code-of-the-future"],
  ])("%s: it is dropped", (code) => {
    const world = uploading();
    world.endUpload(refused(code));
    expect(keptOf(world)).toBeUndefined();
    expect(clientWakesAtMs(world.state)).toBeUndefined();
  });

  test("one final reason among passing ones is final", () => {
    const world = uploading();
    world.endUpload(refused("busy", "non-finite"));
    expect(keptOf(world)).toBeUndefined();
  });

  test("a duplicate is there already: it counts as staged and stays kept", () => {
    const world = uploading();
    world.endUpload(refused("duplicate-update"));
    expect(keptOf(world)?.status).toBe("staged");
  });

  test("a refusal without reasons is no proof of anything", () => {
    const world = uploading();
    world.endUpload(refused());
    expect(keptOf(world)?.status).toBe("wanted");
  });

  test("repeated refusals are tried ever more rarely; a new task tries at once", () => {
    const world = uploading();
    world.endUpload(refused("busy"));
    world.wake();
    world.endUpload(refused("busy"));
    expect((clientWakesAtMs(world.state) ?? 0) - world.nowMs).toBe(500);
    expect(world.receive(trainTask(roundKey(1)))).toEqual(["upload"]);
  });
});

describe("acknowledged means committed", () => {
  test("a staged update is kept until its round is committed", () => {
    const world = uploading();
    world.endUpload(staged);
    expect(keptOf(world)?.status).toBe("staged");
    world.receive({ kind: "committed", key: roundKey(1) });
    expect(keptOf(world)).toBeUndefined();
  });

  test("asked again after staging, it is uploaded again without training", () => {
    const world = uploading();
    world.endUpload(staged);
    expect(world.receive(trainTask(roundKey(1)))).toEqual(["upload"]);
    expect(world.all("run")).toHaveLength(1);
  });

  test.each([
    ["staged", staged],
    ["refused", refused("round-not-open")],
    ["broken", broken],
  ])("asked again during an upload that ends %s, it goes again at once", (_, outcome) => {
    const world = uploading();
    expect(world.receive(trainTask(roundKey(1)))).toEqual([]);
    expect(world.endUpload(outcome)).toEqual(["upload"]);
    expect(world.endUpload(staged)).toEqual([]);
  });

  test("asked again during an upload that is refused for good, it is dropped all the same", () => {
    const world = uploading();
    world.receive(trainTask(roundKey(1)));
    expect(world.endUpload(refused("non-finite"))).toEqual([]);
    expect(keptOf(world)).toBeUndefined();
  });

  test("a task of the next round drops the update and aborts its upload", () => {
    const world = uploading();
    expect(world.receive(trainTask(roundKey(2)))).toEqual(["abort-upload", "run", "report"]);
    expect(keptOf(world)).toBeUndefined();
  });
});

describe("when the combiner is lost", () => {
  test("the upload is aborted, and goes to the next combiner when that asks", () => {
    const world = uploading();
    const late = world.latest("upload")?.upload ?? 0;
    expect(world.leave("failed")).toEqual(["abort-upload"]);
    expect(keptOf(world)?.status).toBe("idle");
    world.attend("combiner-1");
    expect(world.all("upload")).toHaveLength(1);
    expect(world.receive(trainTask(roundKey(1)))).toEqual(["upload"]);
    // What became of the first upload says nothing about the second.
    world.give({ kind: "upload-ended", upload: late, outcome: refused("non-finite") });
    expect(keptOf(world)?.status).toBe("uploading");
    world.endUpload(staged);
    expect(keptOf(world)?.status).toBe("staged");
  });

  test("a staged update waits for the next combiner too", () => {
    const world = uploading();
    world.endUpload(staged);
    world.leave("ended");
    expect(keptOf(world)?.status).toBe("idle");
    expect(world.attend("combiner-1").receive(trainTask(roundKey(1)))).toEqual(["upload"]);
  });

  test("a broken upload is tried again while the combiner is still attended", () => {
    const world = uploading();
    world.endUpload(broken);
    expect(world.wake()).toEqual(["upload"]);
  });
});

describe("bounds", () => {
  test("one upload at a time, in the order in which updates were finished", () => {
    const world = uploading();
    for (const session of [1, 2]) {
      world.receive(trainTask(roundKey(1, 1, session)));
      expect(world.endRun(trainedOutcome(roundKey(1, 1, session)))).toEqual([]);
    }
    expect(world.endUpload(staged)).toEqual(["upload"]);
    expect(world.latest("upload")?.kept.key).toEqual(roundKey(1, 1, 1));
    expect(world.endUpload(staged)).toEqual(["upload"]);
    expect(world.latest("upload")?.kept.key).toEqual(roundKey(1, 1, 2));
  });

  test("the oldest update makes room for one of a further session", () => {
    const world = new ClientWorld().attend();
    for (let session = 0; session <= MAX_SESSIONS; session++) {
      world.trainAndStage(roundKey(1, 1, session));
    }
    const sessions = [...world.state.kept.bySession.keys()];
    expect(sessions).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map(sessionOf));
  });
});
