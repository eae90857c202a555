import { describe, expect, test } from "vitest";
import { refusal } from "../../../lib/base/refusal.ts";
import {
  assignmentOf,
  ClientWorld,
  roundKey,
  sessionOf,
  trainedOutcome,
  trainTask,
  validateTask,
} from "../../testing/client-world.ts";
import { LASTING_VISIT_MS } from "../attendance.ts";
import type { TaskOutcome } from "../inputs.ts";
import { MAX_SESSIONS } from "../task.ts";

const attending = () => new ClientWorld().attend();
const validated: TaskOutcome = {
  kind: "validated",
  exampleCount: 5,
  metrics: [{ name: "loss", value: 0.5 }],
};
const failed: TaskOutcome = { kind: "failed", refusals: [refusal("data-empty", 0, 1)] };

describe("training", () => {
  test("starts at once, says so, and uploads what it made", () => {
    const world = attending();
    expect(world.receive(trainTask(roundKey(1)))).toEqual(["run", "report"]);
    expect(world.reports).toEqual([{ kind: "task-started", key: roundKey(1) }]);
    expect(world.endRun(trainedOutcome(roundKey(1)))).toEqual(["upload"]);
    expect(world.latest("upload")?.kept.update.exampleCount).toBe(7);
  });

  test("the same task again while it runs changes nothing", () => {
    const world = attending();
    world.receive(trainTask(roundKey(1)));
    expect(world.receive(trainTask(roundKey(1)))).toEqual([]);
    expect(world.endRun(trainedOutcome(roundKey(1)))).toEqual(["upload"]);
    expect(world.state.work.running).toBeUndefined();
  });

  test.each([
    ["round", roundKey(3, 1)],
    ["attempt", roundKey(2, 3)],
  ])("a later %s cancels the running one, which is not uploaded", (_, later) => {
    const world = attending();
    world.receive(trainTask(roundKey(2, 2)));
    expect(world.receive(trainTask(later))).toEqual(["cancel"]);
    expect(world.endRun(trainedOutcome(roundKey(2, 2)))).toEqual(["run", "report"]);
    expect(world.latest("run")?.task).toEqual(trainTask(later));
    expect(world.all("upload")).toEqual([]);
  });

  test.each([
    ["round", roundKey(1, 9)],
    ["attempt", roundKey(2, 1)],
  ])("an earlier %s is ignored while a later one runs, waits or is kept", (_, earlier) => {
    const world = attending();
    world.receive(validateTask(1));
    world.receive(trainTask(roundKey(2, 2)));
    expect(world.receive(trainTask(earlier))).toEqual([]);
    world.endRun(validated);
    expect(world.receive(trainTask(earlier))).toEqual([]);
    world.endRun(trainedOutcome(roundKey(2, 2)));
    expect(world.receive(trainTask(earlier))).toEqual([]);
    expect(world.all("run")).toHaveLength(2);
  });

  test("a task that cannot be done is reported with every reason, and the client stays", () => {
    const world = attending();
    world.receive(trainTask(roundKey(1)));
    expect(world.endRun(failed)).toEqual(["report"]);
    expect(world.reports.at(-1)).toEqual({
      kind: "task-failed",
      key: roundKey(1),
      refusals: [refusal("data-empty", 0, 1)],
    });
    expect(world.receive(trainTask(roundKey(2)))).toEqual(["run", "report"]);
  });

  test("a task whose inputs cannot be had is tried again, ever more rarely", () => {
    const world = attending();
    world.receive(trainTask(roundKey(1)));
    expect(world.endRun({ kind: "interrupted" })).toEqual([]);
    expect(world.advance(249)).toEqual([]);
    expect(world.advance(1)).toEqual(["run", "report"]);
    world.endRun({ kind: "interrupted" });
    expect(world.advance(499)).toEqual([]);
    expect(world.advance(1)).toEqual(["run", "report"]);
  });

  test("an interrupted task is not tried again after a later one of its session", () => {
    const world = attending();
    world.receive(trainTask(roundKey(1)));
    world.receive(trainTask(roundKey(2)));
    world.endRun({ kind: "interrupted" });
    expect(world.latest("run")?.task).toEqual(trainTask(roundKey(2)));
    world.endRun(trainedOutcome(roundKey(2)));
    world.advance(60_000);
    expect(world.all("run")).toHaveLength(2);
  });

  test.each([
    ["cancelled", { kind: "cancel", key: roundKey(1) }],
    ["committed", { kind: "committed", key: roundKey(1) }],
    ["overtaken by a later commit", { kind: "committed", key: roundKey(4) }],
  ] as const)("a round that is %s is neither trained on, kept nor tried again", (_, message) => {
    const running = attending();
    running.receive(trainTask(roundKey(1)));
    expect(running.receive(message)).toEqual(["cancel"]);
    expect(running.endRun({ kind: "cancelled" })).toEqual([]);

    const interrupted = attending();
    interrupted.receive(trainTask(roundKey(1)));
    interrupted.endRun({ kind: "interrupted" });
    interrupted.receive(message);
    expect(interrupted.advance(60_000)).toEqual([]);

    const kept = attending().trainAndStage(roundKey(1));
    kept.receive(message);
    expect(kept.state.kept.bySession.size).toBe(0);
  });

  test.each([
    ["another attempt", { kind: "cancel", key: roundKey(1, 2) }],
    ["another session", { kind: "cancel", key: roundKey(1, 1, 1) }],
    ["another session's commit", { kind: "committed", key: roundKey(5, 1, 1) }],
    ["an earlier commit", { kind: "committed", key: roundKey(0) }],
  ] as const)("%s does not end a round", (_, message) => {
    const world = attending();
    world.receive(trainTask(roundKey(1)));
    expect(world.receive(message)).toEqual([]);
    expect(world.endRun(trainedOutcome(roundKey(1)))).toEqual(["upload"]);
  });

  test("a task that was cancelled and is asked for again runs anew", () => {
    const world = attending();
    world.receive(trainTask(roundKey(1)));
    world.receive({ kind: "cancel", key: roundKey(1) });
    expect(world.receive(trainTask(roundKey(1)))).toEqual([]);
    expect(world.endRun({ kind: "cancelled" })).toEqual(["run", "report"]);
  });
});

describe("validation", () => {
  test("is reported under the model it was made on", () => {
    const world = attending();
    expect(world.receive(validateTask(3))).toEqual(["run"]);
    expect(world.endRun(validated)).toEqual(["report"]);
    expect(world.reports).toEqual([
      {
        kind: "validation-report",
        sessionId: sessionOf(0),
        round: 3,
        modelHash: validateTask(3).modelHash,
        exampleCount: 5,
        metrics: [{ name: "loss", value: 0.5 }],
      },
    ]);
  });

  test("goes before training when both wait", () => {
    const world = attending();
    world.receive(trainTask(roundKey(1, 1, 1)));
    world.receive(trainTask(roundKey(2)));
    world.receive(validateTask(1));
    world.endRun(failed);
    expect(world.latest("run")?.task).toEqual(validateTask(1));
    world.endRun(validated);
    expect(world.latest("run")?.task).toEqual(trainTask(roundKey(2)));
  });

  test("that fails is told to nobody", () => {
    const world = attending();
    world.receive(validateTask(1));
    expect(world.endRun(failed)).toEqual([]);
    expect(world.reports).toEqual([]);
  });

  test("of a round that runs, waits or is older is not queued again", () => {
    const world = attending();
    world.receive(validateTask(2));
    world.receive(validateTask(2));
    world.receive(validateTask(4));
    world.receive(validateTask(3));
    world.endRun(validated);
    world.endRun(validated);
    expect(world.all("run").map(({ task }) => task)).toEqual([validateTask(2), validateTask(4)]);
  });
});

describe("when the combiner is lost", () => {
  test("a running training goes on and is kept until another combiner asks for it", () => {
    const world = attending();
    world.receive(trainTask(roundKey(1)));
    world.advance(LASTING_VISIT_MS);
    expect(world.leave("failed")).toEqual(["assign"]);
    expect(world.endRun(trainedOutcome(roundKey(1)))).toEqual([]);
    world.attend("combiner-1");
    expect(world.receive(trainTask(roundKey(1)))).toEqual(["upload"]);
    expect(world.all("run")).toHaveLength(1);
  });

  test("a training that the next combiner asks for while it still runs is uploaded when done", () => {
    const world = attending();
    world.receive(trainTask(roundKey(1)));
    world.leave("failed");
    world.attend("combiner-1").receive(trainTask(roundKey(1)));
    expect(world.endRun(trainedOutcome(roundKey(1)))).toEqual(["upload"]);
  });

  test("waiting tasks are forgotten: the next combiner pushes what counts", () => {
    const world = attending();
    world.receive(trainTask(roundKey(1, 1, 1)));
    world.receive(trainTask(roundKey(1)));
    world.receive(validateTask(1));
    world.leave("failed");
    world.endRun(trainedOutcome(roundKey(1, 1, 1)));
    expect(world.state.work.running).toBeUndefined();
  });

  test("an interrupted training waits to be asked for again", () => {
    const world = attending();
    world.receive(trainTask(roundKey(1)));
    world.leave("failed");
    world.endRun({ kind: "interrupted" });
    world.attend("combiner-1");
    expect(world.all("run")).toHaveLength(1);
    expect(world.receive(trainTask(roundKey(1)))).toEqual(["run", "report"]);
  });

  test("a failure that found nobody to tell is found again for the next combiner", () => {
    const world = attending();
    world.receive(trainTask(roundKey(1)));
    world.leave("failed");
    expect(world.endRun(failed)).toEqual([]);
    world.attend("combiner-1").receive(trainTask(roundKey(1)));
    expect(world.endRun(failed)).toEqual(["report"]);
  });
});

describe("bounds", () => {
  test("tasks of more sessions than a client holds are refused, not queued", () => {
    const world = attending();
    // One runs, eight wait.
    for (let session = 0; session <= MAX_SESSIONS; session++) {
      world.receive(trainTask(roundKey(1, 1, session)));
    }
    expect(world.receive(trainTask(roundKey(1, 1, MAX_SESSIONS + 1)))).toEqual(["report"]);
    const report = world.reports.at(-1);
    expect(report?.kind === "task-failed" && report.refusals.map(({ code }) => code)).toEqual([
      "too-many-tasks",
    ]);
    expect(world.state.work.trainings.size).toBe(MAX_SESSIONS);
  });

  test("validations of more sessions than a client holds are dropped", () => {
    const world = attending();
    for (let session = 0; session < 20; session++) world.receive(validateTask(1, session));
    expect(world.state.work.validations.size).toBe(MAX_SESSIONS);
  });

  test("tasks sent before the welcome are ignored", () => {
    const world = new ClientWorld();
    world.wake();
    world.give({ kind: "assigned", assignment: assignmentOf("combiner-0") });
    expect(world.receive(trainTask(roundKey(1)))).toEqual([]);
    expect(world.receive(validateTask(1))).toEqual([]);
  });
});

describe("stop", () => {
  test("cancels what runs, aborts what is uploaded and leaves", () => {
    const world = attending();
    world.receive(trainTask(roundKey(1)));
    world.endRun(trainedOutcome(roundKey(1)));
    world.receive(trainTask(roundKey(1, 1, 1)));
    expect([...world.give({ kind: "stop" })].sort()).toEqual(["abort-upload", "cancel", "leave"]);
    const validating = attending();
    validating.receive(validateTask(1));
    expect([...validating.give({ kind: "stop" })].sort()).toEqual(["cancel", "leave"]);
  });
});
