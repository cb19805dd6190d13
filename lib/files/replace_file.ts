/** Files that are there as a whole, or as they were before. @module */

/**
 * Writes a file beside the one it replaces, then renames it: whoever reads, and whoever comes after a
 * crash, finds the old contents or the new ones. A link is followed. Nothing is left when it fails.
 *
 * @param write gets the open file
 */
export async function replaceFile(
  path: string | URL,
  write: (file: Deno.FsFile) => Promise<void>,
): Promise<void> {
  const target = await Deno.realPath(path).catch(() => pathOf(path));
  const temporary = `${target}.${crypto.randomUUID().slice(0, 8)}.partial`;
  const file = await Deno.open(temporary, { write: true, createNew: true });
  try {
    try {
      await write(file);
      await file.sync(); // or the name may outlive a crash, and the contents not
    } finally {
      file.close();
    }
    await Deno.rename(temporary, target);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}

/** Writes all of it: one call may take a part. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

const pathOf = (path: string | URL): string =>
  path instanceof URL ? decodeURIComponent(path.pathname) : path;
