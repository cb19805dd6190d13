import { succeeds } from "./command.ts";
import { ensurePackages } from "./packages.ts";

const system = "/usr/bin/python3";
const client = ["-c", "import nbconvert"];

/** Command of Chromium, which is installed by apt when missing. */
export async function chromium(): Promise<string> {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    if (await succeeds([name, "--version"])) return name;
  }
  await ensurePackages({ chromium: ["chromium", "--version"] });
  return "chromium";
}

/** A Python that can make HTML of notebooks; the package is installed by apt when missing. */
export async function nbconvertPython(): Promise<string> {
  for (const python of [system, "python3"]) {
    if (await succeeds([python, ...client])) return python;
  }
  await ensurePackages({ "python3-nbconvert": [system, ...client] });
  return system;
}

/** Command of Jupyter's page, the classic notebook, which is installed by apt when missing. */
export async function jupyterNotebook(): Promise<string> {
  const ask = ["jupyter-notebook", "--version"];
  if (!await succeeds(ask)) await ensurePackages({ "jupyter-notebook": ask });
  return ask[0];
}
