/** Where compiled code is kept between processes. @module */
import { createHash } from "node:crypto";
import { variable } from "../variable.ts";

/**
 * The folder of compiled code: `schemoe` in `SCHEMOE_CACHE`, else in `XDG_CACHE_HOME` or `~/.cache` of the environment,
 * else in the folder of temporary files.
 */
function cacheFolder(): string {
  const home = variable("HOME");
  const root = variable("SCHEMOE_CACHE") ?? variable("XDG_CACHE_HOME") ??
    (home ? `${home}/.cache` : undefined) ?? variable("TMPDIR") ?? "/tmp";
  return `${root}/schemoe/sources`;
}

/**
 * The file that holds what `make` writes, named by the hash of all that it depends on; made where it is not there yet.
 * A process that is killed leaves no half of one.
 */
export function cached(
  { parts, suffix, make }: {
    readonly parts: readonly string[];
    readonly suffix: string;
    make(path: string): void;
  },
): string {
  const hash = createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
  const folder = cacheFolder();
  const path = `${folder}/${hash}${suffix}`;
  if (isFile(path)) return path;
  Deno.mkdirSync(folder, { recursive: true });
  const own = `${folder}/${hash}.${Deno.pid}.${crypto.randomUUID().slice(0, 8)}${suffix}`;
  try {
    make(own);
    Deno.renameSync(own, path);
  } finally {
    if (isFile(own)) Deno.removeSync(own);
  }
  return path;
}

/** Whether there is such a file. */
export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
