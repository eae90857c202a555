/** Runs the core: one input after another, effects carried out in between, and the timer it asks for. */
import type { Clock } from "../../lib/base/clock.ts";
import { step, wakesAtMs } from "../core/coordinator.ts";
import type { CombinerState, Effect, Input } from "../core/state.ts";

export type Engine = {
  readonly state: () => CombinerState;
  /**
   * Takes an input; when this returns its effects are carried out, unless it was called while another input's are:
   * then it is taken right after those.
   */
  readonly submit: (input: Input) => void;
  readonly stop: () => void;
};

/** Runs the core: one input at a time, its effects in order, its timer always set to the next instant it names. */
export function startEngine(given: {
  readonly state: CombinerState;
  readonly clock: Clock;
  /** Must not throw, and must not wait. */
  readonly perform: (effect: Effect) => void;
  /** The core or an effect broke an invariant: the process must stop, another one starts from nothing. */
  readonly onFatal: (error: unknown) => void;
}): Engine {
  const { clock } = given;
  let { state } = given;
  const queue: Input[] = [];
  let running = false;
  let stopped = false;
  let cancelTimer = () => {};
  let timerMs: number | undefined;

  function submit(input: Input): void {
    if (stopped) return;
    queue.push(input);
    if (running) return;
    running = true;
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) take(next);
    } catch (error) {
      stop();
      given.onFatal(error);
    } finally {
      running = false;
    }
    setTimer();
  }

  function take(input: Input): void {
    const taken = step(state, input, clock.untrustedNowMs());
    state = taken.state;
    for (const effect of taken.effects) given.perform(effect);
  }

  function setTimer(): void {
    const wakeMs = stopped ? undefined : wakesAtMs(state);
    if (wakeMs === timerMs) return;
    cancelTimer();
    timerMs = wakeMs;
    if (wakeMs === undefined) return;
    cancelTimer = clock.after(Math.max(1, wakeMs - clock.untrustedNowMs()), () => {
      timerMs = undefined;
      submit({ kind: "tick" });
    });
  }

  function stop(): void {
    stopped = true;
    queue.length = 0;
    setTimer();
  }

  setTimer();
  return { state: () => state, submit, stop };
}
