import fc from "fast-check";
import { expect, test } from "vitest";
import { refusal } from "../../../lib/base/refusal.ts";
import type { RoundKey } from "../../../lib/base/round-key.ts";
import {
  assignmentOf,
  ClientWorld,
  roundKey,
  trainedOutcome,
  trainTask,
  validateTask,
} from "../../testing/client-world.ts";
import type { ClientInput, CombinerMessage, TaskOutcome } from "../inputs.ts";
import type { UploadOutcome } from "../kept-updates.ts";
import { MAX_SESSIONS } from "../task.ts";

const keys = fc
  .record({
    session: fc.integer({ min: 0, max: 10 }),
    round: fc.integer({ min: 1, max: 3 }),
    attempt: fc.integer({ min: 1, max: 2 }),
  })
  .map(({ session, round, attempt }) => roundKey(round, attempt, session));

const messages: fc.Arbitrary<CombinerMessage> = fc.oneof(
  fc.constant({ kind: "welcome" } as const),
  keys.map(trainTask),
  fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(10)).map(([round, s]) => validateTask(round, s)),
  keys.map((key) => ({ kind: "cancel", key }) as const),
  keys.map((key) => ({ kind: "committed", key }) as const),
);
const taskOutcomes: fc.Arbitrary<TaskOutcome> = fc.oneof(
  keys.map(trainedOutcome),
  fc.constantFrom<TaskOutcome>(
    { kind: "interrupted" },
    { kind: "cancelled" },
    { kind: "failed", refusals: [] },
    { kind: "validated", exampleCount: 1, metrics: [] },
  ),
);
const uploadOutcomes = fc.constantFrom<UploadOutcome>(
  { kind: "staged" },
  { kind: "broken" },
  { kind: "refused", refusals: [refusal("busy", "a", "b")] },
  { kind: "refused", refusals: [refusal("non-finite", "a", "b")] },
);
/** Numbers near the ones in use, so that late and early ones occur as well as right ones. */
const offset = fc.integer({ min: -1, max: 1 });
const anyInput: fc.Arbitrary<(world: ClientWorld) => ClientInput> = fc.oneof(
  fc.constant(() => ({ kind: "tick" }) as const),
  fc.constant(() => ({ kind: "assigned", assignment: assignmentOf("c") }) as const),
  fc.constant(() => ({ kind: "assign-failed" }) as const),
  fc.tuple(offset, messages).map(([o, message]) => (w: ClientWorld) => ({
    kind: "received",
    visit: w.visit + o,
    message,
  })),
  fc
    .tuple(offset, fc.constantFrom("reassigned", "ended", "failed"))
    .map(([o, how]) => (w: ClientWorld) => ({ kind: "left", visit: w.visit + o, how })),
  fc.tuple(offset, taskOutcomes).map(([o, outcome]) => (w: ClientWorld) => ({
    kind: "run-ended",
    run: w.state.work.lastRun + o,
    outcome,
  })),
  fc.tuple(offset, uploadOutcomes).map(([o, outcome]) => (w: ClientWorld) => ({
    kind: "upload-ended",
    upload: w.state.kept.lastUpload + o,
    outcome,
  })),
) as fc.Arbitrary<(world: ClientWorld) => ClientInput>;

test("whatever happens in whatever order, one task runs, one upload goes, and nothing grows", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyInput, fc.nat(3000)), { maxLength: 200 }), (inputs) => {
      const world = new ClientWorld();
      let running: number | undefined;
      for (const [input, delayMs] of inputs) {
        world.nowMs += delayMs;
        const given = input(world);
        if (given.kind === "run-ended" && given.run === running) running = undefined;
        world.give(given);
        for (const effect of world.news()) {
          if (effect.kind === "run") {
            expect(running).toBeUndefined();
            running = effect.run;
          }
          if (effect.kind === "cancel") expect(effect.run).toBe(running);
          if (effect.kind === "upload") expect(world.state.kept.upload?.id).toBe(effect.upload);
          if (effect.kind === "upload" || effect.kind === "report") {
            expect(world.state.attendance.kind).toBe("attending");
          }
        }
        const { work, kept } = world.state;
        expect(kept.bySession.size).toBeLessThanOrEqual(MAX_SESSIONS);
        expect(work.trainings.size).toBeLessThanOrEqual(MAX_SESSIONS + 1);
        expect(work.validations.size).toBeLessThanOrEqual(MAX_SESSIONS);
        const entries = [...kept.bySession.values()];
        const uploads = entries.filter(({ status }) => status === "uploading");
        expect(uploads.length).toBe(kept.upload === undefined ? 0 : 1);
      }
    }),
    { numRuns: 300 },
  );
});

type Fault = "none" | "lose-combiner" | "interrupt" | "break-upload" | "lose-staged" | "busy";
const faults = fc.array(
  fc.constantFrom<Fault>(
    "none",
    "lose-combiner",
    "interrupt",
    "break-upload",
    "lose-staged",
    "busy",
  ),
  { maxLength: 30 },
);

/** A combiner that keeps to the protocol: it asks whoever attends and has not folded. */
function driveRound(world: ClientWorld, key: RoundKey, plan: Fault[]): void {
  let folded = false;
  world.receive(trainTask(key));
  for (let step = 0; !folded; step++) {
    if (step > 500) throw new Error("the round does not end");
    const fault = plan.shift() ?? "none";
    const { attendance, work, kept } = world.state;
    if (attendance.kind !== "attending") {
      world.attend();
      world.receive(trainTask(key));
    } else if (fault === "lose-combiner") {
      world.leave("failed");
    } else if (work.running !== undefined) {
      world.endRun(fault === "interrupt" ? { kind: "interrupted" } : trainedOutcome(key));
    } else if (kept.upload === undefined) {
      world.wake();
    } else if (fault === "break-upload" || fault === "busy") {
      const refusals = [refusal("busy", "full", "room")];
      world.endUpload(fault === "busy" ? { kind: "refused", refusals } : { kind: "broken" });
    } else {
      world.endUpload({ kind: "staged" });
      // The combiner dies with what it folded, or the reducer has it.
      if (fault === "lose-staged") world.leave("failed");
      else folded = true;
    }
  }
  world.receive({ kind: "committed", key });
}

test("through losses of every kind each round ends folded, and no finished training is repeated", () => {
  fc.assert(
    fc.property(faults, (plan) => {
      const world = new ClientWorld();
      const interruptions = plan.filter((fault) => fault === "interrupt").length;
      for (const round of [1, 2, 3]) driveRound(world, roundKey(round), plan);
      expect(world.all("run").length).toBeLessThanOrEqual(3 + interruptions);
      expect(world.state.kept.bySession.size).toBe(0);
      expect(world.state.work.running).toBeUndefined();
    }),
    { numRuns: 300 },
  );
});
