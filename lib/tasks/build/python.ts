import { succeeds } from "./command.ts";
import { ensurePackages } from "./packages.ts";

const system = "/usr/bin/python3";
const client = ["-c", "import jupyter_client"];

/**
 * A Python that can talk to a Jupyter kernel: the one on the path or that of the system, for which
 * the package is installed by apt when missing.
 */
export async function jupyterPython(): Promise<string> {
  for (const python of [system, "python3"]) {
    if (await succeeds([python, ...client])) return python;
  }
  await ensurePackages({ "python3-jupyter-client": [system, ...client] });
  return system;
}
