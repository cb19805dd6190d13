/** Tables as text. @module */

/**
 * Rows of cells as lines of columns of equal width, two spaces apart.
 * @param isNumeric whether a column is aligned to the right; default all but the first.
 */
export function alignedText(
  rows: readonly (readonly string[])[],
  isNumeric: (column: number) => boolean = (column) => column > 0,
): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) =>
    row.map((cell, i) => isNumeric(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))
      .join("  ").trimEnd()
  ).join("\n");
}
