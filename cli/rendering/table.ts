/** Text tables: two spaces between columns, numbers to the right, no frames, so that they can be cut and pasted. */

export type Column = {
  readonly title: string;
  readonly align?: "left" | "right";
  /** For tables that are written line by line; wider cells push the rest of their line aside. */
  readonly width?: number;
};

const GAP = "  ";

/** Header and rows; a last column that is left-aligned is not padded. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string[] {
  const sized = columns.map((column, index) => ({
    ...column,
    width: Math.max(
      column.title.length,
      column.width ?? 0,
      ...rows.map((row) => (row[index] ?? "").length),
    ),
  }));
  return [renderHeader(sized), ...rows.map((row) => renderRow(sized, row))];
}

export const renderHeader = (columns: readonly Column[]): string =>
  renderRow(
    columns,
    columns.map((column) => column.title),
  );

export function renderRow(columns: readonly Column[], cells: readonly string[]): string {
  const padded = columns.map((column, index) => {
    const cell = cells[index] ?? "";
    const width = Math.max(column.width ?? 0, column.title.length);
    return column.align === "right" ? cell.padStart(width) : cell.padEnd(width);
  });
  return padded.join(GAP).trimEnd();
}

/** "name:  value" lines, values below each other. Fields without a value are left out; without a name, they go on. */
export function renderFields(
  fields: readonly (readonly [name: string, value: string | undefined])[],
): string[] {
  const shown = fields.filter(([, value]) => value !== undefined && value !== "");
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${(name && `${name}:`).padEnd(width + 1)}${GAP}${value}`);
}
