/** Waits that end with a signal or a time limit. @module */
import type { RunOptions } from "../engine.ts";
import { SchemoeError } from "../types.ts";
import { Status } from "./status.ts";
import { defaultTimeLimit, limitProblem, sayLimit } from "./time_limit.ts";

/** How long is waited, and what errors say. */
export interface Patience extends Pick<RunOptions, "timeLimit" | "signal"> {
  /** What could not be done: `run the pass`. */
  readonly what: string;
  /** What is waited for: `values of the layer's tensors are still being made`. */
  readonly because: string;
}

/** Milliseconds of the longest timer; a longer one would fire at once. */
const LONGEST = 2 ** 31 - 1;

/**
 * What the work resolves to, unless the signal is aborted or the limit passes first. The work goes on then,
 * since others may wait for it too.
 * @throws {SchemoeError} of status 3 (aborted) or 4 (limit), and whatever the work throws.
 */
export async function waitFor<T>(work: Promise<T>, patience: Patience): Promise<T> {
  const { timeLimit = defaultTimeLimit(), signal, what, because } = patience;
  work.catch(() => {}); // it is nobody's where a limit or signal is refused below
  const problem = limitProblem(timeLimit);
  if (problem) throw new SchemoeError(`Cannot ${what}: ${problem}`);
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const abort = () =>
    reject(
      new SchemoeError(`Cannot ${what}: it was aborted while ${because}`, {
        status: Status.cancelled,
        cause: signal?.reason,
      }),
    );
  const late = () => {
    const error = new SchemoeError(`Cannot ${what} in ${timeLimit} s: ${because}`, {
      status: Status.timeLimit,
    });
    reject(patience.timeLimit === undefined ? sayLimit(error) : error);
  };
  const timer = setTimeout(late, Math.min(1e3 * timeLimit, LONGEST));
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  try {
    return await Promise.race([work, ended]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
