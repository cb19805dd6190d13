/** Installs the Jupyter kernel and starts JupyterLab, or the classic notebook, in `notebooks/`. */
import { SchemoeError } from "../types.ts";
import { quiet, root, run, succeeds, task } from "./command.ts";
import { writeKernel } from "./kernel.ts";

await task(async () => {
  const found = ["lab", "notebook"].find(async (name) =>
    await succeeds(["jupyter", name, "--version"])
  );
  if (found === undefined) {
    throw new SchemoeError(
      "Cannot start Jupyter: it is not installed; run: pip install jupyterlab",
    );
  }
  const data = (await quiet(["jupyter", "--data-dir"])).trim();
  console.error(`Kernel: ${await writeKernel(data)}`);
  return await run(["jupyter", found, "--notebook-dir", `${root}/notebooks`, ...Deno.args]);
});
