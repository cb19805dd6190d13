/**
 * Jupyter's own page with a notebook in it.
 * @module
 */
import { jupyterNotebook } from "../../lib/tasks/build/browser.ts";
import { writeKernel } from "../../lib/tasks/notebook/kernel.ts";
import { notebook } from "../notebooks/notebook.ts";

/** Dark as themes for the classic notebook make it: a style sheet of the user's, here for `body.dark`. */
const DARK = `body.dark, body.dark #site, body.dark #notebook-container, body.dark .input_area,
  body.dark .rendered_html tr { background: #111418 !important }
  body.dark, body.dark .output_subarea, body.dark .rendered_html :is(table, tr, td, th) { color: #d4d8dd !important }`;

/** A server of Jupyter with one notebook of the given cells. */
export class Jupyter implements AsyncDisposable {
  private constructor(
    /** Address of the notebook. */
    readonly url: string,
    readonly process: Deno.ChildProcess,
    readonly directory: string,
  ) {}

  /** Starts it in a folder below `notebooks/`, from which the kernel finds `deno.json`. */
  static async open(cells: readonly string[]): Promise<Jupyter> {
    const command = await jupyterNotebook();
    const directory = await Deno.makeTempDir({
      ...{ dir: `${import.meta.dirname}/../../notebooks`, prefix: ".test-" },
    });
    await writeKernel(`${directory}/data`);
    await Deno.mkdir(`${directory}/config/custom`, { recursive: true });
    await Deno.writeTextFile(`${directory}/config/custom/custom.css`, DARK);
    await Deno.writeTextFile(`${directory}/test.ipynb`, notebook(...cells));
    const port = freePort();
    const process = new Deno.Command(command, {
      args: [
        ...["--no-browser", "--allow-root", "--ip=127.0.0.1", `--port=${port}`],
        ...["--port-retries=0", "--NotebookApp.token=", `--notebook-dir=${directory}`],
      ],
      env: {
        JUPYTER_DATA_DIR: `${directory}/data`,
        JUPYTER_CONFIG_DIR: `${directory}/config`,
        JUPYTER_RUNTIME_DIR: `${directory}/runtime`,
      },
      ...{ stdout: "null", stderr: "null" },
    }).spawn();
    const jupyter = new Jupyter(`http://127.0.0.1:${port}/`, process, directory);
    try {
      await jupyter.#answers();
    } catch (error) {
      await jupyter[Symbol.asyncDispose]();
      throw error;
    }
    return jupyter;
  }

  /** Ends the server, which ends its kernels. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.process.kill("SIGTERM");
    } catch {
      // it has ended already
    }
    await this.process.status;
    await Deno.remove(this.directory, { recursive: true });
  }

  async #answers(): Promise<void> {
    for (let i = 0; i < 600; i++) {
      try {
        const response = await fetch(`${this.url}api`);
        await response.body?.cancel();
        if (response.ok) return;
      } catch {
        // it does not listen yet
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error("Jupyter did not start within 60 s");
  }
}

/** A port on which nothing listens. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
