/** Files that are there as a whole, or as they were before. @module */
import { basename, dirname, join } from "node:path";
import { SchemoeError } from "../types.ts";

/** What a file is made of. */
type Write = (file: Deno.FsFile) => Promise<void>;

/**
 * Writes a file beside the one it replaces, then renames it: whoever reads, and whoever comes after a
 * crash, finds the old contents or the new ones. A link is followed; a device, such as `/dev/null`, is written to.
 * Nothing is left when it fails.
 *
 * @param write gets the open file
 */
export async function replaceFile(path: string | URL, write: Write): Promise<void> {
  await replaceFiles([[path, write]]);
}

/**
 * The same of files that belong together: none is renamed before all are written, so that a full disk leaves all as
 * they were.
 *
 * @param ready called before the first is renamed
 */
export async function replaceFiles(
  files: readonly (readonly [path: string | URL, write: Write])[],
  ready: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const written: { readonly temporary: string; readonly target: string }[] = [];
  try {
    for (const [path, write] of files) {
      const target = await Deno.realPath(path).catch(() => pathOf(path));
      const { isFile } = await Deno.stat(target).catch(() => ({ isFile: true }));
      // what is no file cannot be replaced by one
      const temporary = isFile ? `${target}.${crypto.randomUUID().slice(0, 8)}.partial` : undefined;
      if (temporary) written.push({ temporary, target });
      const file = await Deno.open(temporary ?? target, { write: true, createNew: isFile });
      try {
        await write(file);
        if (isFile) await file.sync(); // or the name may outlive a crash, and the contents not
      } finally {
        file.close();
      }
    }
    await ready();
    for (const { temporary, target } of written) await Deno.rename(temporary, target);
  } catch (error) {
    for (const { temporary } of written) await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}

/** Whether a file is what {@linkcode replaceFile} left that was killed while it wrote the one of that name. */
export const isPartial = (file: string, of: string): boolean =>
  file.startsWith(of) && /^\.[0-9a-f]{8}\.partial$/.test(file.slice(of.length));

/** Milliseconds after which nobody writes a file any more. */
const ABANDONED = 60_000;

/**
 * Prepares a file that {@linkcode replaceFile} will replace, before the work whose result it is: removes what writes
 * of it have left that were killed more than a minute ago, and tries whether a file can be written there.
 * @returns whether it is there.
 * @throws {SchemoeError} for what is no file, and where its folder is missing or takes no files.
 */
export async function replaceable(path: string | URL): Promise<boolean> {
  const fail: (problem: string, cause?: unknown) => never = (problem, cause) => {
    throw new SchemoeError(`Cannot write ${path}: ${problem}`, { cause });
  };
  const target = await Deno.realPath(path).catch(() => pathOf(path));
  const folder = dirname(target);
  await Deno.stat(folder).catch((cause) => fail(`there is no folder ${folder}`, cause));
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (!isPartial(name, basename(target))) continue;
      const { mtime } = await Deno.stat(join(folder, name));
      if (Date.now() - mtime!.getTime() > ABANDONED) await Deno.remove(join(folder, name));
    }
    const { isFile } = await Deno.stat(target);
    if (!isFile) fail("it is no file");
    await tryWriting(target, fail);
    return true;
  } catch (cause) {
    if (cause instanceof SchemoeError || cause instanceof Deno.errors.NotCapable) throw cause;
    if (!(cause instanceof Deno.errors.NotFound)) fail((cause as Error).message, cause);
  }
  await tryWriting(target, fail);
  return false;
}

/** Whether a file can be made beside the one that it will replace. */
async function tryWriting(
  target: string,
  fail: (problem: string, cause: unknown) => never,
): Promise<void> {
  const trial = `${target}.${crypto.randomUUID().slice(0, 8)}.partial`;
  try {
    (await Deno.open(trial, { write: true, createNew: true })).close();
    await Deno.remove(trial);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    fail(`its folder takes no new file: ${(cause as Error).message}`, cause);
  }
}

/** Writes all of it: one call may take a part. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

const pathOf = (path: string | URL): string =>
  path instanceof URL ? decodeURIComponent(path.pathname) : path;
