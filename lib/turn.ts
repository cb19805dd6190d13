/** Turns of the event loop. @module */

/** Lets the event loop do what is due: timers, signals and whatever has arrived. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
