import { expect, test } from "vitest";
import { everyPage } from "../every-page.ts";

const pages = (all: readonly number[], size: number, totalCount = all.length) => {
  const asked: number[] = [];
  const fetch = async ({ page: { offset } }: { readonly page: { readonly offset: number } }) => {
    asked.push(offset);
    return { entries: all.slice(offset, offset + size), totalCount };
  };
  return { asked, fetch };
};

test("asks until every entry is there", async () => {
  const { asked, fetch } = pages([1, 2, 3, 4, 5], 2);
  expect(await everyPage(fetch)).toEqual([1, 2, 3, 4, 5]);
  expect(asked).toEqual([0, 2, 4]);
});

test("an empty list is one page", async () => {
  const { asked, fetch } = pages([], 2);
  expect(await everyPage(fetch)).toEqual([]);
  expect(asked).toEqual([0]);
});

test("a peer that promises more than it has is not asked for ever", async () => {
  const { fetch } = pages([1, 2, 3], 2, 1_000_000);
  expect(await everyPage(fetch)).toEqual([1, 2, 3]);
});
