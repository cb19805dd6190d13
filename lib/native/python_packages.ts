/** Libraries in packages of Python. @module */
import { variable } from "./variable.ts";

/** Files at a path below the usual folders of Python's packages, as far as they may be read. */
export function inPythonPackages(path: string): string[] {
  const roots = ["VIRTUAL_ENV", "CONDA_PREFIX"].map(variable).filter((root) => root !== undefined);
  const home = variable("HOME");
  if (home) roots.push(`${home}/.local`);
  roots.push("/usr/local", "/usr");
  return roots.flatMap((root) =>
    folders(`${root}/lib`).filter((name) => /^python3(\.\d+)?$/.test(name)).flatMap((python) =>
      ["site-packages", "dist-packages"].map((kind) => `${root}/lib/${python}/${kind}/${path}`)
    )
  ).filter(isFile);
}

function folders(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].map(({ name }) => name);
  } catch {
    return [];
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
