import { describe, expect, test } from "vitest";
import { FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS } from "../../../lib/base/backoff.ts";
import { assignmentOf, ClientWorld } from "../../testing/client-world.ts";
import { LASTING_VISIT_MS, WELCOME_TIMEOUT_MS } from "../attendance.ts";
import { clientWakesAtMs } from "../client.ts";

const restMs = (world: ClientWorld) => (clientWakesAtMs(world.state) ?? Number.NaN) - world.nowMs;

describe("finding a combiner", () => {
  test("a fresh client asks, connects where it is told to and is welcomed", () => {
    const world = new ClientWorld();
    expect(world.wake()).toEqual(["assign"]);
    expect(world.give({ kind: "assigned", assignment: assignmentOf("combiner-1") })).toEqual([
      "attend",
    ]);
    expect(world.latest("attend")?.assignment.combiner).toBe("combiner-1");
    world.receive({ kind: "welcome" });
    expect(world.state.attendance.kind).toBe("attending");
    expect(clientWakesAtMs(world.state)).toBeUndefined();
  });

  test("without a combiner it asks again, ever more rarely", () => {
    const world = new ClientWorld();
    const delays: number[] = [];
    for (let failure = 0; failure < 8; failure++) {
      world.wake();
      world.give({ kind: "assign-failed" });
      delays.push(restMs(world));
    }
    expect(delays[0]).toBe(FIRST_BACKOFF_MS);
    expect(delays.at(-1)).toBe(LONGEST_BACKOFF_MS);
    expect(delays).toEqual(delays.toSorted((a, b) => a - b));
  });

  test("a combiner that cannot be reached is named in the next request", () => {
    const world = new ClientWorld();
    world.wake();
    world.give({ kind: "assigned", assignment: assignmentOf("combiner-1") });
    world.leave("failed");
    expect(world.wake()).toEqual(["assign"]);
    expect(world.latest("assign")?.unreachable).toBe("combiner-1");
  });

  test("a combiner that does not welcome is left", () => {
    const world = new ClientWorld();
    world.wake();
    world.give({ kind: "assigned", assignment: assignmentOf("combiner-1") });
    expect(world.advance(WELCOME_TIMEOUT_MS - 1)).toEqual([]);
    expect(world.advance(1)).toEqual(["leave"]);
    world.wake();
    expect(world.latest("assign")?.unreachable).toBe("combiner-1");
  });

  test.each([
    ["reassigned", undefined],
    ["ended", "combiner-0"],
    ["failed", "combiner-0"],
  ] as const)(
    "after a visit that lasted and was %s it asks at once, then rests",
    (how, unreachable) => {
      const world = new ClientWorld().attend();
      world.advance(LASTING_VISIT_MS);
      expect(world.leave(how)).toEqual(["assign"]);
      expect(world.latest("assign")?.unreachable).toBe(unreachable);
      expect(world.give({ kind: "assign-failed" })).toEqual([]);
      expect(restMs(world)).toBe(FIRST_BACKOFF_MS);
    },
  );

  test("a combiner that welcomes and drops is not called in a tight loop", () => {
    const world = new ClientWorld();
    const delays: number[] = [];
    for (let visit = 0; visit < 4; visit++) {
      world.attend();
      expect(world.leave("ended")).toEqual([]);
      delays.push(restMs(world));
    }
    expect(delays).toEqual([250, 500, 1000, 2000]);
  });

  test("a visit that lasted ends the row of failures", () => {
    const world = new ClientWorld();
    for (let visit = 0; visit < 4; visit++) world.attend().leave("failed");
    world.attend();
    world.advance(LASTING_VISIT_MS);
    world.leave("failed");
    world.give({ kind: "assign-failed" });
    expect(restMs(world)).toBe(FIRST_BACKOFF_MS);
  });
});

describe("what comes too late or out of turn changes nothing", () => {
  test("the end of an earlier visit", () => {
    const world = new ClientWorld().attend();
    world.advance(LASTING_VISIT_MS);
    world.leave("reassigned");
    const earlier = world.visit;
    world.attend("combiner-1");
    expect(world.give({ kind: "left", visit: earlier, how: "failed" })).toEqual([]);
    expect(world.state.attendance.kind).toBe("attending");
  });

  test("an assignment nobody asked for", () => {
    const world = new ClientWorld().attend();
    expect(world.give({ kind: "assigned", assignment: assignmentOf("other") })).toEqual([]);
    expect(world.give({ kind: "assign-failed" })).toEqual([]);
    expect(world.state.attendance.kind).toBe("attending");
  });

  test("anything after stop", () => {
    const world = new ClientWorld().attend();
    expect(world.give({ kind: "stop" })).toEqual(["leave"]);
    expect(world.leave("failed")).toEqual([]);
    expect(world.advance(60_000)).toEqual([]);
    expect(clientWakesAtMs(world.state)).toBeUndefined();
  });
});
