/** What this module needs to know of a notebook file. */
interface Notebook {
  readonly cells: readonly { readonly cell_type: string; readonly source: string | string[] }[];
}

/**
 * The code cells of a notebook file (its JSON text), in order.
 * @throws {Error} for a text that is no notebook.
 */
export function notebookCode(json: string): string[] {
  const { cells } = Object(JSON.parse(json)) as Notebook;
  if (!Array.isArray(cells)) throw new Error('it has no "cells", as notebooks have');
  return cells
    .filter((cell) => cell.cell_type === "code")
    .map(({ source }) => typeof source === "string" ? source : source.join(""));
}
