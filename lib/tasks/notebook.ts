/** Installs the Jupyter kernel and starts JupyterLab, or the classic notebook, in `notebooks/`. */
import { SchemoeError } from "../types.ts";
import { root, run, succeeds, task } from "./command.ts";
import { jupyterDataDirectory, writeKernel } from "./kernel.ts";

await task(async () => {
  console.error(`Kernel: ${await writeKernel(jupyterDataDirectory())}`);
  for (const program of ["jupyter-lab", "jupyter-notebook"]) {
    if (!await succeeds([program, "--version"])) continue;
    return await run([program, ...Deno.args], { cwd: `${root}/notebooks` });
  }
  throw new SchemoeError(
    "Cannot start Jupyter, which is not installed; run: pip install jupyterlab " +
      "(or: sudo apt-get install -y jupyter-notebook)",
  );
});
