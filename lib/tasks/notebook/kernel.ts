/** Directory name of the Jupyter kernel. */
export const kernelName = "schemoe";

/** Contents of its `kernel.json`: the Deno that runs now, stopped by a message, not a signal. */
export const kernelSpec = (): Record<string, unknown> => ({
  argv: [Deno.execPath(), "jupyter", "--kernel", "--conn", "{connection_file}"],
  display_name: "schemoe",
  language: "typescript",
  interrupt_mode: "message",
});

/** Writes the kernel into a Jupyter data directory; gives the directory of the kernel. */
export async function writeKernel(dataDirectory: string): Promise<string> {
  const directory = `${dataDirectory}/kernels/${kernelName}`;
  await Deno.mkdir(directory, { recursive: true });
  await Deno.writeTextFile(`${directory}/kernel.json`, JSON.stringify(kernelSpec(), null, 2));
  return directory;
}

/** Where Jupyter looks for a user's kernels. */
export function jupyterDataDirectory(): string {
  const given = Deno.env.get("JUPYTER_DATA_DIR");
  if (given) return given;
  const home = Deno.env.get("HOME") ?? ".";
  if (Deno.build.os === "darwin") return `${home}/Library/Jupyter`;
  return `${Deno.env.get("XDG_DATA_HOME") ?? `${home}/.local/share`}/jupyter`;
}
