import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { OPERATORS } from "../../../onnx/operators.ts";

const root = path.resolve(import.meta.dirname, "../../../..");
const page = await readFile(path.join(root, "docs/onnx-packages.md"), "utf8");

test("what docs/onnx-packages.md shows of the example is what is built", async () => {
  const blocks = [...page.matchAll(/<!-- from (\S+) -->\n```\w+\n([\s\S]*?)```/g)];
  expect(blocks.length).toBe(5);
  for (const [, file = "", text = ""] of blocks) {
    const source = await readFile(path.join(root, file), "utf8");
    expect(source.includes(text), `${file} no longer holds:\n${text}`).toBe(true);
  }
});

test("the operators it lists are the gate's", () => {
  const [, list = ""] = /<!-- operators -->\n([\s\S]*?)\n\n/.exec(page) ?? [];
  const listed = [...list.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  expect(listed).toEqual(Object.keys(OPERATORS));
});
