/** Timers that take any number of milliseconds and can be cancelled. @module */

/** The longest that a timer of JavaScript can wait; a longer one would end at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** A time that passes. */
export interface Wait {
  readonly promise: Promise<void>;
  /** The promise never resolves then. */
  cancel(): void;
}

/** Resolves after `ms` milliseconds, and calls `then` before. */
export function after(ms: number, then: () => void = () => {}): Wait {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    then();
    resolve();
  }, Math.min(ms, LONGEST_MS));
  return { promise, cancel: () => clearTimeout(timer) };
}
