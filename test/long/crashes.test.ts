/** Many crashes at seeded places: whoever dies, and whenever, the session ends in the undisturbed run's model. */
import { beforeAll, expect, test } from "vitest";
import type { RoleName } from "../../cli/demo/role-process.ts";
import { runUndisturbed, runWithCrash } from "../e2e/crashing-demo.ts";

const RUNS = Number(process.env.CRASH_RUNS ?? 30);
const ROLES: readonly RoleName[] = ["client", "combiner", "reducer"];

let undisturbed: string;
beforeAll(async () => {
  undisturbed = await runUndisturbed(2);
});

const crashes = Array.from({ length: RUNS }, (_, run) => ({
  run,
  role: ROLES[run % ROLES.length] as RoleName,
  round: 1 + (Math.floor(run / 3) % 3),
  folded: Math.floor(run / 9) % 4,
}));

test.each(crashes)(
  "run $run: a $role killed in round $round with $folded updates folded changes nothing",
  async (crash) => {
    const crashed = await runWithCrash(crash);
    expect(crashed.modelHash).toBe(undisturbed);
    expect(crashed.foldedPerRound).toEqual([3, 3, 3]);
  },
);
