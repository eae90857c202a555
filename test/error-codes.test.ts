/** Every code that trusted code can raise has a row in docs/errors.md, and every row there a code. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { ROOT, readSources } from "./layout/read-sources.ts";
import { withoutComments } from "./layout/scan-imports.ts";

const TRUSTED =
  /^(?:lib|compute-packages\/(?:format|onnx)|(?:reducer|combiner|client)\/(?:core|service))\//;
const OURS = /^(?:lib|compute-packages|reducer|combiner|client|cli)\//;
const TESTS = /\/(?:test|testing)\//;
const CODE = /^[a-z][a-z0-9]*(?:-[A-Za-z0-9]+)*$/;

const sources = [...readSources()].filter(([file]) => file.endsWith(".ts") && !TESTS.test(file));
const documented = documentedCodes();

/** Literals in refusals, in errors, and in the closed unions of both. */
function codesOf(text: string): string[] {
  const source = withoutComments(text);
  const raised = [...source.matchAll(/\b(?:refusal|refused|new [A-Za-z]+Error)\(\s*"([^"]*)"/g)];
  const unions = source.matchAll(/\bCodedError<([^>]*)>|\btype [A-Za-z]*Code =([^;]*);/g);
  const members = [...unions].flatMap(([union]) => [...union.matchAll(/"([^"]*)"/g)]);
  return [...raised, ...members].map(([, code]) => code ?? "").filter((code) => CODE.test(code));
}

/** The first cell of each row; `setting-*` stands for all codes that begin so. */
function documentedCodes(): readonly string[] {
  const text = readFileSync(path.join(ROOT, "docs/errors.md"), "utf8");
  const cells = [...text.matchAll(/^\| ([^|]*`[^|]*) \|/gm)].map(([, cell]) => cell ?? "");
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? ""));
}

const covers = (row: string, code: string): boolean =>
  row.endsWith("*") ? code.startsWith(row.slice(0, -1)) : row === code;

test("every code that trusted code raises is explained in docs/errors.md", () => {
  const missing = sources
    .filter(([file]) => TRUSTED.test(file))
    .flatMap(([file, text]) => codesOf(text).map((code) => ({ file, code })))
    .filter(({ code }) => !documented.some((row) => covers(row, code)))
    .map(({ file, code }) => `${code} in ${file}`);
  expect([...new Set(missing)]).toEqual([]);
});

test("docs/errors.md explains no code that nothing raises", () => {
  const text = sources.filter(([file]) => OURS.test(file)).map(([, source]) => source);
  const all = text.join("\n");
  const unraised = documented.filter((row) => !all.includes(`"${row}"`) && !row.endsWith("*"));
  expect(unraised).toEqual([]);
  expect(documented.length).toBeGreaterThan(200);
});

test("codes are found in refusals, errors and unions, not in comments", () => {
  const source = `
    // refusal("comment", 1, 2)
    found.push(refusal("one", 1, 2)); throw new StoreError("two", "text");
    class E extends CodedError<"three" | "four"> {}
    type GateCode =
      | "five";
    throw refused(
      "six", 1, 2);`;
  expect(codesOf(source).toSorted()).toEqual(["five", "four", "one", "six", "three", "two"]);
});
