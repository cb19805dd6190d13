/** Traces as files. @module */
import { timed } from "../table/subject.ts";
import { aPath, expect } from "../../arguments/mod.ts";
import { SchemoeError } from "../../types.ts";
import { type Subject, timelineOf } from "../table/subject.ts";
import { gzip } from "../../files/gzip.ts";
import { chromeTrace, type ChromeTraceOptions } from "./export.ts";

/**
 * The gzipped bytes of {@linkcode chromeTrace}, which Perfetto and PyTorch's tools open as they are.
 * @throws {SchemoeError} as that does.
 */
export function chromeTraceGzip(
  run: Subject,
  options: ChromeTraceOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  return gzip(chromeTrace(run, options));
}

/**
 * Writes {@linkcode chromeTrace} of a run or timeline to a file, gzipped when its name ends with `.gz`.
 * @throws {SchemoeError} as that does, and when the file cannot be written.
 */
export async function writeChromeTrace(
  run: Subject,
  path: string | URL,
  options: ChromeTraceOptions = {},
): Promise<void> {
  timed(run, "write the trace");
  expect("writeChromeTrace", "path", path, aPath);
  const text = chromeTrace(timelineOf(run, "write the trace"), options);
  const bytes = `${path}`.endsWith(".gz") ? await gzip(text) : new TextEncoder().encode(text);
  try {
    await Deno.writeFile(path, bytes);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    throw new SchemoeError(`Cannot write the trace ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
}
