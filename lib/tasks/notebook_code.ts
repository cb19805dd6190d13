/** What this module needs to know of a notebook file. */
interface Notebook {
  readonly cells: readonly { readonly cell_type: string; readonly source: string | string[] }[];
}

/** The code cells of a notebook file (its JSON text), in order. */
export function notebookCode(json: string): string[] {
  const { cells } = JSON.parse(json) as Notebook;
  return cells
    .filter((cell) => cell.cell_type === "code")
    .map(({ source }) => typeof source === "string" ? source : source.join(""));
}
