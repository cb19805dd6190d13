/**
 * Installs the Jupyter kernel and starts JupyterLab, or the classic notebook, in `notebooks/`; or runs
 * the cells of notebooks without Jupyter and prints what they show, up to the first error. Where neither is
 * installed, root gets the classic notebook by apt, and others the command to run.
 *
 * usage: deno task notebook [-- [--engine cpu|cuda] [ARGUMENTS OF JUPYTER]]
 *        deno task notebook -- [--engine cpu|cuda] --run NOTEBOOK...
 *
 * `--engine` is the engine of every `openEngine` that names none, through `SCHEMOE_ENGINE`.
 * @module
 */
import { resolve } from "node:path";
import { ENGINE_VARIABLE } from "../engines/default_kind.ts";
import { jupyterNotebook } from "./build/browser.ts";
import { root, run, succeeds, task } from "./build/command.ts";
import { keepLock } from "./build/keep_lock.ts";
import { jupyterDataDirectory, writeKernel } from "./notebook/kernel.ts";
import { jupyterArguments, notebookOptions } from "./notebook/notebook_options.ts";
import { runNotebook, textOf } from "./notebook/run_notebook.ts";

await task(async () => {
  const { engine, execute, rest } = notebookOptions(Deno.args);
  const env: Record<string, string> = engine ? { [ENGINE_VARIABLE]: engine } : {};
  if (execute) return await keepLock(() => runAll(rest, env));
  console.error(`Kernel: ${await writeKernel(jupyterDataDirectory())}`);
  const lab = await succeeds(["jupyter-lab", "--version"]);
  const program = lab ? "jupyter-lab" : await jupyterNotebook();
  const args = jupyterArguments(rest, Deno.uid());
  return await run([program, ...args], { cwd: `${root}/notebooks`, env });
});

async function runAll(paths: readonly string[], env: Record<string, string>): Promise<void> {
  for (const path of paths) {
    console.log(`== ${path}`);
    await runNotebook(resolve(path), (cell, outputs) => {
      console.log(`\n[${cell}]`);
      for (const text of outputs.map(textOf)) Deno.stdout.writeSync(new TextEncoder().encode(text));
    }, env);
  }
}
