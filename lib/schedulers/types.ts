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
  /** What layers, captions and errors call it. */
  readonly name: string;
  /**
   * The order of all tasks: each rank runs the tasks of a lane in this order, each as soon as the tasks that it
   * depends on are done. Pure; `costs` say how long tasks are expected to take.
   */
  order(graph: TaskGraph, costs: Costs): Schedule;
  /** How it splits a pass when only a number is given; default: capacity slices. */
  chunking?(chunks: number): Chunking;
  /**
   * Lets weight gradients of the chunks be added up in the order in which it runs them. Default false: each
   * depends on that of the chunk before it, so that every order gives the same bits. With true they depend on a
   * task `zero` alone, that sets them to 0, and results differ by rounding (within 1e-5 of the largest gradient).
   */
  readonly reassociate?: boolean;
}
