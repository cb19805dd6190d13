/** Functions that a user wrote: schedulers, all-to-alls, codecs, experts. @module */
import { SchemoeError } from "./types.ts";

/**
 * What a user's function returns. What it throws becomes an error that says whose it was, with the
 * exception as its cause.
 * @throws {SchemoeError} `Cannot use WHOSE: its FUNCTION failed: ...`.
 */
export function callUser<T>(whose: string, name: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof SchemoeError) throw cause;
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new SchemoeError(`Cannot use ${whose}: its ${name} failed: ${text}`, { cause });
  }
}
