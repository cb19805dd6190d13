import { DEFAULT_KINDS } from "../../engines/default_kind.ts";
import { SchemoeError } from "../../types.ts";

/** What `deno task notebook` was asked for. */
export interface NotebookOptions {
  /** Engine where a cell names none; undefined: as the environment says. */
  readonly engine?: string;
  /** Whether the cells of the notebooks in `rest` are run here. */
  readonly execute: boolean;
  /** Notebooks, or arguments for Jupyter. */
  readonly rest: readonly string[];
}

/**
 * Reads the arguments; unknown ones go to Jupyter.
 *
 * @throws {SchemoeError} for an unknown engine, or no notebook to run.
 */
export function notebookOptions(args: readonly string[]): NotebookOptions {
  const rest: string[] = [];
  let [engine, execute]: [string | undefined, boolean] = [undefined, false];
  for (let i = args[0] === "--" ? 1 : 0; i < args.length; i++) {
    if (args[i] === "--engine") engine = args[++i] ?? "";
    else if (args[i].startsWith("--engine=")) engine = args[i].slice("--engine=".length);
    else if (args[i] === "--run") execute = true;
    else rest.push(args[i]);
  }
  if (engine !== undefined && !DEFAULT_KINDS.some((kind) => kind === engine)) {
    throw new SchemoeError(`Unknown engine "${engine}": choose from ${DEFAULT_KINDS.join(", ")}`);
  }
  const option = rest.find((argument) => argument.startsWith("-"));
  if (execute && (rest.length === 0 || option)) {
    throw new SchemoeError(
      `Cannot run notebooks: ${
        option ? `unknown option "${option}"` : "none is named"
      }; usage: deno task notebook -- [--engine cpu|cuda] --run NOTEBOOK...`,
    );
  }
  return { engine, execute, rest };
}

/** Arguments of Jupyter, which starts for root, as in a container, only when told to. */
export const jupyterArguments = (given: readonly string[], user: number | null): string[] =>
  user === 0 && !given.includes("--allow-root") ? ["--allow-root", ...given] : [...given];
