/**
 * Pages of notebooks that were really executed.
 * @module
 */
import { nbconvertPython } from "../../lib/tasks/browser.ts";
import { quiet } from "../../lib/tasks/command.ts";
import { executeNotebook } from "../notebooks/execute.ts";
import { notebook } from "../notebooks/notebook.ts";

/** Executes cells in a kernel, and converts the notebook to one HTML file for each theme. */
export async function notebookPages(cells: readonly string[], directory: string) {
  const inside = await Deno.makeTempDir({
    dir: `${import.meta.dirname}/../../notebooks`,
    prefix: ".test-",
  });
  try {
    const path = `${inside}/test.ipynb`;
    await Deno.writeTextFile(path, notebook(...cells));
    const executed = await executeNotebook(path);
    const failed = executed.cells.find(({ status }) => status !== "ok");
    if (failed) throw new Error(`${failed.source}\n${failed.error}`);
    const document = JSON.parse(notebook(...cells));
    for (const [i, { outputs }] of executed.cells.entries()) {
      document.cells[i].outputs = outputs.map((output) => ({ metadata: {}, ...output }));
      document.cells[i].id = `cell-${i}`;
    }
    await Deno.writeTextFile(`${directory}/test.ipynb`, JSON.stringify(document));
  } finally {
    await Deno.remove(inside, { recursive: true });
  }
  const python = await nbconvertPython();
  await Promise.all((["light", "dark"] as const).map((theme) =>
    quiet([
      ...[python, "-m", "nbconvert", "--to", "html", `--HTMLExporter.theme=${theme}`],
      ...[`${directory}/test.ipynb`, "--output", `${theme}.html`],
    ])
  ));
}
