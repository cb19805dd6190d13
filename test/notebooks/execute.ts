import { quiet } from "../../lib/tasks/build/command.ts";
import { keepLock } from "../../lib/tasks/build/keep_lock.ts";
import { kernelName, writeKernel } from "../../lib/tasks/notebook/kernel.ts";
import { jupyterPython } from "../../lib/tasks/build/python.ts";
import { SchemoeError } from "../../lib/types.ts";

/** One message that a cell showed, in the words of the notebook format. */
export interface Output {
  readonly output_type: "stream" | "display_data" | "execute_result" | "error";
  /** MIME bundle of a display or result. */
  readonly data?: Readonly<Record<string, string>>;
  /** Text of a stream. */
  readonly text?: string;
  readonly ename?: string;
  readonly evalue?: string;
}

/** What became of a code cell. */
export interface ExecutedCell {
  readonly source: string;
  /** Of the kernel's reply: the only sign of a syntax error, which has no output. */
  readonly status: "ok" | "error" | "aborted";
  /** Text of the reply's error, empty when ok. */
  readonly error: string;
  readonly outputs: readonly Output[];
}

/** A notebook run from its first to its last cell, errors not stopping it. */
export interface ExecutedNotebook {
  readonly cells: readonly ExecutedCell[];
  /** Outputs that came after their cell was done, which a front end loses. */
  readonly late: number;
}

/**
 * Executes a notebook by Jupyter with the kernel of this Deno, in the notebook's directory.
 * The file stays as it is.
 * @throws {SchemoeError} when it is not done after `seconds` (default 120), or the kernel dies
 */
export async function executeNotebook(
  path: string,
  { seconds = 120 }: { seconds?: number } = {},
): Promise<ExecutedNotebook> {
  const python = await jupyterPython();
  const script = `${import.meta.dirname}/execute.py`;
  const data = await Deno.makeTempDir();
  try {
    await writeKernel(data);
    const env = { JUPYTER_PATH: data, JUPYTER_RUNTIME_DIR: data, NO_COLOR: "1" };
    const argv = [python, script, path, kernelName, `${seconds}`];
    return JSON.parse(await keepLock(() => quiet(argv, { env })));
  } catch (cause) {
    if (!(cause instanceof SchemoeError)) throw cause;
    throw new SchemoeError(`Cannot execute ${path}: ${cause.message}`, { cause });
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}
