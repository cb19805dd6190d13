import { dirname } from "node:path";
import { SchemoeError } from "../../types.ts";
import { type CellOutput, KernelClient } from "./kernel_client.ts";
import { notebookCode } from "./notebook_code.ts";

/**
 * Runs the cells of a notebook one after another in a kernel, without Jupyter, in the notebook's
 * folder; the file stays as it is.
 *
 * @param shown called with the number of each cell, from 1, and what it showed.
 * @param env variables of the kernel besides those of this process.
 * @throws {SchemoeError} naming the first cell that fails.
 */
export async function runNotebook(
  path: string,
  shown: (cell: number, outputs: readonly CellOutput[]) => void,
  env: Record<string, string> = {},
): Promise<void> {
  const cells = await codeOf(path);
  const kernel = await KernelClient.start(dirname(path), env);
  let cell = 0;
  try {
    for (const code of cells) {
      cell++;
      const { outputs, error } = await kernel.execute(code);
      shown(cell, outputs);
      if (error) throw new SchemoeError(error);
    }
  } catch (cause) {
    if (!(cause instanceof SchemoeError)) throw cause;
    throw new SchemoeError(`Cannot run ${path}: cell ${cell}: ${cause.message}`, { cause });
  } finally {
    await kernel.close();
  }
}

/** @throws {SchemoeError} naming the file that cannot be read, or is no notebook. */
async function codeOf(path: string): Promise<string[]> {
  try {
    return notebookCode(await Deno.readTextFile(path));
  } catch (cause) {
    throw new SchemoeError(`Cannot run ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** The text of a cell's outputs; pictures without one are named by their media type. */
export function textOf({ text, data = {} }: CellOutput): string {
  const shown = text ?? data["text/plain"] ?? Object.keys(data).map((type) => `(${type})`).join();
  return shown.endsWith("\n") || shown === "" ? shown : `${shown}\n`;
}
