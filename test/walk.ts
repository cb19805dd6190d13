/** Paths of all files below a folder, relative to it. */
export function* walk(folder: URL, below = ""): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(below, folder))) {
    if (isDirectory) yield* walk(folder, `${below}${name}/`);
    else yield `${below}${name}`;
  }
}
