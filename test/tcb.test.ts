import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";

// `npm test` has just built dist/tcb; `npm run tcb` takes a change over, whose commit says what was bought with it.
test.each(["reducer", "combiner", "client", "client-trainer"])(
  "what is bundled into the %s is what gramine/tcb lists",
  async (bundle) => {
    const built = await readFile(`dist/tcb/${bundle}.txt`, "utf8");
    expect(await readFile(`gramine/tcb/${bundle}.txt`, "utf8")).toBe(built);
  },
);
