import { expect, test } from "vitest";
import { aRound, aSession, HASH_B } from "../../testing/session-views.ts";
import { DEFAULT_DEMO_OPTIONS } from "../options.ts";
import { resultLines, resultOf } from "../result.ts";
import { trainingTime } from "../training-time.ts";

const options = { ...DEFAULT_DEMO_OPTIONS, rounds: 1, clients: 2 };
const times = { startedMs: 0, readyMs: 2_100, endedMs: 4_240, trainingMs: 1_500 };
const finished = aSession({
  status: "finished",
  rounds: 1,
  committedRounds: 1,
  modelHash: HASH_B,
  roundHistory: [aRound()],
});

test("the result has the figures of the final model and where the time went", () => {
  expect(resultOf(options, finished, times)).toMatchObject({
    rounds: 1,
    testAccuracy: 0.8241,
    testLoss: 0.63214,
    testExamples: 10_000,
    modelHash: HASH_B,
    seconds: 4.24,
    setUpSeconds: 2.1,
    roundSeconds: 1.94,
    trainingSeconds: 1.5,
    betweenSeconds: 0.2,
    updateBytes: 421_776,
    conditions: { clients: 2, combiners: 2, partition: "iid", seed: 1 },
  });
});

test("a person reads it in lines", () => {
  const result = { ...resultOf(options, finished, times), conditions: { clients: 2, seed: 1 } };
  expect(resultLines(result, undefined)).toEqual([
    "test accuracy:         82.41 % of 10,000 images, loss 0.6321",
    `model:                 ${HASH_B}, after 1 round`,
    "took:                  4.2 s",
    "  starting up:         2.1 s",
    "  training:            1.5 s, the slowest client of each round",
    "  rest of the rounds:  0.4 s",
    "  between rounds:      0.2 s",
    "updates:               422 kB from clients to combiners",
    "conditions:            clients 2, seed 1",
  ]);
});

test.each([
  [
    "failed",
    {
      ...finished,
      status: "failed" as const,
      reasons: [{ code: "quorum-not-met", seen: "1", wanted: "2" }],
    },
    "ended as failed (quorum-not-met: seen 1, wanted 2)",
  ],
  ["was stopped", { ...finished, status: "stopped" as const }, "ended as stopped"],
  [
    "has no validation of its last model",
    { ...finished, roundHistory: [aRound({ validatedCount: 0, metrics: {} })] },
    "no client validated the final model",
  ],
  [
    "was not validated by every client",
    { ...finished, roundHistory: [aRound({ validatedCount: 1 })] },
    "only 1 of 2 clients validated the final model",
  ],
])("a session that %s has no result", (_what, session, message) => {
  expect(() => resultOf(options, session, times)).toThrow(message);
});

test("training time is that of each round's slowest client", () => {
  const time = trainingTime();
  const line = (fields: object) => time.read(JSON.stringify({ event: "task.ended", ...fields }));
  line({ task: "train", outcome: "trained", round: 1, durationMs: 300 });
  line({ task: "train", outcome: "trained", round: 1, durationMs: 200 });
  line({ task: "train", outcome: "trained", round: 2, durationMs: 50 });
  line({ task: "train", outcome: "cancelled", round: 2, durationMs: 9_000 });
  line({ task: "validate", outcome: "validated", round: 2, durationMs: 9_000 });
  time.read('cut off in "task.ended"');
  time.read("null");
  expect(time.totalMs()).toBe(350);
});
