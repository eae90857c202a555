import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";

const ENCLAVED = ["reducer", "combiner", "client", "client-trainer"];

// `npm test` has just built dist/tcb; `npm run tcb` takes a change over, whose commit says what was bought with it.
test.each(ENCLAVED)("what is bundled into the %s is what gramine/tcb lists", async (bundle) => {
  const built = await readFile(`dist/tcb/${bundle}.txt`, "utf8");
  expect(await readFile(`gramine/tcb/${bundle}.txt`, "utf8")).toBe(built);
});

test.each(ENCLAVED)("nothing that starts processes is bundled into the %s", async (bundle) => {
  const listed = await readFile(`dist/tcb/${bundle}.txt`, "utf8");
  expect(listed).not.toMatch(/compute-packages\/command|\/host\//);
  expect(await readFile(`dist/${bundle}.cjs`, "utf8")).not.toMatch(
    /require\("(?:node:)?child_process"\)/,
  );
});
