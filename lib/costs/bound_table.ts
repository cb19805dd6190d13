/** Costs of all tasks on all ranks, checked. @module */
import type { Costs } from "./types.ts";
import { SchemoeError, type TaskGraph } from "../types.ts";

/**
 * Seconds of every task on every rank: element `task.id * ranks + rank`.
 *
 * @param purpose begins the message, such as `Cannot bound the graph`.
 * @throws {SchemoeError} naming a task whose cost is missing, negative or no finite number.
 */
export function costTable(graph: TaskGraph, costs: Costs, purpose: string): Float64Array {
  const { tasks, topology: { ranks } } = graph;
  const table = new Float64Array(tasks.length * ranks);
  for (const [id, task] of tasks.entries()) {
    for (let rank = 0; rank < ranks; rank++) {
      const seconds = costs.seconds(task, rank);
      if (!(typeof seconds === "number" && seconds >= 0 && seconds < Infinity)) {
        const problem = `task ${task.name} costs ${seconds} s on rank ${rank}`;
        throw new SchemoeError(`${purpose}: ${problem}, a number of at least 0 is needed`, {
          rank,
        });
      }
      table[id * ranks + rank] = seconds;
    }
  }
  return table;
}

/** True for two times that differ by no more than rounding of sums. */
export const sameSeconds = (a: number, b: number): boolean =>
  Math.abs(a - b) <= 1e-9 * Math.max(a, b);
