/** Functions that a user wrote: schedulers, all-to-alls, codecs, experts, gates. @module */
import { type Kernel, SchemoeError } from "./types.ts";
import { quoted } from "./words.ts";

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

/** {@linkcode callUser} of a function whose result may be a promise. */
export async function awaitUser<T>(
  whose: string,
  name: string,
  run: () => T | Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    return callUser<never>(whose, name, () => {
      throw cause;
    });
  }
}

/**
 * The kernels that a user's function returns.
 * @throws {SchemoeError} as {@linkcode callUser}, and for anything but an array of kernels.
 */
export function kernelsOf(
  whose: string,
  name: string,
  run: () => readonly Kernel[],
): readonly Kernel[] {
  const kernels: unknown = callUser(whose, name, run);
  const fail = (problem: string): never => {
    throw new SchemoeError(`Cannot use ${whose}: its ${name} gives ${problem}`);
  };
  if (!Array.isArray(kernels)) return fail(`${quoted(kernels)}, not an array of kernels`);
  const odd = kernels.findIndex((kernel) => typeof kernel?.name !== "string");
  if (odd < 0) return kernels;
  return fail(`${quoted(kernels[odd])} as kernel ${odd}, not an object { name, args }`);
}
