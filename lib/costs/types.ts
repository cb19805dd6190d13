/** The interface of costs: seconds of each task. @module */
import type { Task } from "../types.ts";

/** Seconds from the end of what an operation waited for to its beginning: that a thread or a device takes it up. */
export interface Launch {
  /** With nothing before it: from the beginning of the run on. */
  readonly begin: number;
  /** After the operation before it on its own lane. */
  readonly next: number;
  /** After one of another lane of its rank, for which its lane waited. */
  readonly wait: number;
}

/** Seconds of each task, known before it runs. */
export interface Costs {
  /** Where the numbers come from: `model`, `measured alone`, ... */
  readonly source: string;
  /** Seconds on one rank, or on the slowest when no rank is given. */
  seconds(task: Task, rank?: number): number;
  /**
   * Part of a processor that a task needs to run at full speed, above 0, where kernels wait for one in a queue:
   * small ones run beside each other, and one of more than 1 is slowed down by others. Default all of it.
   */
  width?(task: Task, rank: number): number;
  /** What it takes until operations begin, which is not within `seconds`; default nothing. */
  readonly launch?: { readonly compute: Launch; readonly transfer: Launch };
}
