/** Lists that the reducer answers in pages, as a whole. */

type Page = { readonly page: { readonly offset: number } };

/**
 * Asks for page after page until all entries are there, or the list stopped growing.
 * @param fetch  one page: its entries, and how many the whole list has
 */
export async function everyPage<T>(
  fetch: (page: Page) => Promise<{ readonly entries: readonly T[]; readonly totalCount: number }>,
): Promise<T[]> {
  const all: T[] = [];
  for (;;) {
    const { entries, totalCount } = await fetch({ page: { offset: all.length } });
    all.push(...entries);
    if (entries.length === 0 || all.length >= totalCount) return all;
  }
}
