/**
 * Pages of notebooks that were really executed.
 * @module
 */
import { nbconvertPython } from "../../lib/tasks/build/browser.ts";
import { quiet } from "../../lib/tasks/build/command.ts";
import { executeNotebook } from "../notebooks/execute.ts";
import { notebook } from "../notebooks/notebook.ts";

/** Executes cells in a kernel, and converts the notebook to `light.html` and `dark.html`. */
export async function cellPages(cells: readonly string[], directory: string): Promise<void> {
  const inside = await Deno.makeTempDir({
    dir: `${import.meta.dirname}/../../notebooks`,
    prefix: ".test-",
  });
  try {
    const path = `${inside}/test.ipynb`;
    await Deno.writeTextFile(path, notebook(...cells));
    await notebookPages(path, directory);
  } finally {
    await Deno.remove(inside, { recursive: true });
  }
}

/** The same for a notebook that is there. @throws {Error} naming the first cell that failed. */
export async function notebookPages(path: string, directory: string): Promise<void> {
  const { cells } = await executeNotebook(path, { seconds: 300 });
  const failed = cells.find(({ status }) => status !== "ok");
  if (failed) throw new Error(`${failed.source}\n${failed.error}`);
  const document = JSON.parse(await Deno.readTextFile(path));
  let next = 0;
  for (const [i, cell] of document.cells.entries()) {
    cell.id = `cell-${i}`;
    if (cell.cell_type !== "code") continue;
    // "transient" is of messages alone, and no notebook may hold it
    cell.outputs = cells[next++].outputs.map(({ output_type, ...rest }) => ({
      output_type,
      metadata: {},
      ...rest,
      transient: undefined,
      ...(output_type === "execute_result" ? { execution_count: null } : {}),
      ...(output_type === "stream" ? { metadata: undefined } : {}),
    }));
  }
  await Deno.writeTextFile(`${directory}/test.ipynb`, JSON.stringify(document));
  const python = await nbconvertPython();
  await Promise.all((["light", "dark"] as const).map((theme) =>
    quiet([
      python,
      "-m",
      "nbconvert",
      "--to",
      "html",
      `--HTMLExporter.theme=${theme}`,
      `${directory}/test.ipynb`,
      "--output",
      `${theme}.html`,
    ])
  ));
}
