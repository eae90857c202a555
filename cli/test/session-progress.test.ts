import { expect, test } from "vitest";
import { fakeClock } from "../../lib/base/testing/fake-clock.ts";
import { sessionProgress, waitingText } from "../rendering/session-progress.ts";
import { capturedStream, onScreen } from "../testing/captured-output.ts";
import { aRound, aSession, runningRound } from "../testing/session-views.ts";

const HEADER = "  round  participants     loss  accuracy  seconds     bytes  state";
const ROUND_1 = "    1/3           2/2   0.6321   82.41 %     1.94    422 kB  committed";
const SHORT = "2 more clients: 0 of 2 attend";
const WAITING =
  "waiting for 2 more clients: 0 of 2 attend; start one with: fedclave client --home DIR --data FILE";

test("what a session waits for comes with what to do about it, once", () => {
  const noCombiner = `${SHORT}; no combiner is attached, start one first`;
  expect(waitingText(aSession({ waitingFor: SHORT }))).toBe(WAITING);
  expect(waitingText(aSession({ waitingFor: noCombiner }))).toBe(`waiting for ${noCombiner}`);
  expect(waitingText(aSession({ waitingFor: "the merge" }))).toBe("waiting for the merge");
  expect(waitingText(aSession({ waitingFor: SHORT, status: "stopped" }))).toBe("");
  expect(waitingText(aSession())).toBe("");
});

test("without a terminal there is one line per round, and one when it waits for clients", () => {
  const stream = capturedStream();
  const progress = sessionProgress(stream, fakeClock(12_000));
  progress.update(aSession({ waitingFor: SHORT }));
  progress.update(aSession({ waitingFor: SHORT }));
  progress.update(
    aSession({ waitingFor: "updates of 2 of 2 clients", roundHistory: [runningRound(1)] }),
  );
  progress.update(aSession({ committedRounds: 1, roundHistory: [aRound({ validatedCount: 1 })] }));
  progress.update(aSession({ committedRounds: 1, roundHistory: [aRound()] }));
  progress.update(aSession({ committedRounds: 1, roundHistory: [aRound(), runningRound(2)] }));
  progress.end();
  expect(stream.text()).toBe(`${WAITING}\n${HEADER}\n${ROUND_1}\n`);
});

test("on a terminal the rounds under way and what is waited for are redrawn", async () => {
  const clock = fakeClock(12_000);
  const stream = capturedStream({ isTty: true, columns: 200 });
  const progress = sessionProgress(stream, clock);
  progress.update(aSession({ waitingFor: SHORT }));
  expect(onScreen(stream.text())).toEqual([WAITING]);
  const roundHistory = [aRound(), runningRound(2)];
  progress.update(
    aSession({ committedRounds: 1, roundHistory, waitingFor: "updates of 1 of 2 clients: b" }),
  );
  const running = (seconds: string) =>
    `    2/3           1/2        –         –     ${seconds}    211 kB  training`;
  const waiting = "waiting for updates of 1 of 2 clients: b";
  expect(onScreen(stream.text())).toEqual([HEADER, ROUND_1, running("0.00"), waiting]);
  await clock.advance(1_000);
  expect(onScreen(stream.text())).toEqual([HEADER, ROUND_1, running("1.00"), waiting]);
  progress.end();
  expect(onScreen(stream.text())).toEqual([HEADER, ROUND_1]);
  expect(clock.timerCount()).toBe(0);
});
