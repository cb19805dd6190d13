/** The interface of schedulers. @module */
import type { Chunking } from "../chunking/types.ts";
import type { Costs } from "../costs/types.ts";
import type { Task, TaskGraph } from "../types.ts";

/** A total order of tasks, with further edges `[before, after]` if it wants some. */
export type Schedule = readonly Task[] | {
  readonly order: readonly Task[];
  readonly after: readonly (readonly [Task, Task])[];
};

/** Chooses the order in which tasks run. A pure function of its arguments. */
export interface Scheduler {
  readonly name: string;
  order(graph: TaskGraph, costs: Costs): Schedule;
  /** How it splits a pass when only a number is given; default: capacity slices. */
  chunking?(chunks: number): Chunking;
}
