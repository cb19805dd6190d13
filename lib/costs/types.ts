/** The interface of costs: seconds of each task. @module */
import type { Task } from "../types.ts";

/** Seconds of each task, known before it runs. */
export interface Costs {
  /** Where the numbers come from: `model`, `measured alone`, ... */
  readonly source: string;
  /** Seconds on one rank, or on the slowest when no rank is given. */
  seconds(task: Task, rank?: number): number;
}
