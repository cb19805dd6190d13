/** A simpler instance near to a given one. @module */
import { costTable } from "../../costs/bound_table.ts";
import type { Costs } from "../../costs/types.ts";
import type { Task, TaskGraph } from "../../types.ts";

/**
 * Costs that are equal on all ranks and for all chunks: of a task on its slowest rank, which the others
 * wait for, averaged over chunks. Measured times differ by noise alone; without it chunks are
 * interchangeable, and the best order is found at once.
 */
export function smoothed(graph: TaskGraph, costs: Costs): Costs {
  const { tasks, chunks, topology: { ranks } } = graph;
  const table = costTable(graph, costs, "Cannot schedule the graph");
  const kinds = new Map<string, { sum: number; count: number }>();
  const kind = ({ layer, pass, label, lane, chunk, name }: Task) =>
    chunk >= 0 && chunk < chunks ? `${layer} ${pass} ${label} ${lane}` : name;
  for (const task of tasks) {
    const slowest = table.subarray(task.id * ranks, (task.id + 1) * ranks).reduce(
      (a, b) => Math.max(a, b),
      0,
    );
    const known = kinds.get(kind(task)) ?? { sum: 0, count: 0 };
    kinds.set(kind(task), { sum: known.sum + slowest, count: known.count + 1 });
  }
  const seconds = (task: Task) => {
    const { sum, count } = kinds.get(kind(task))!;
    return sum / count;
  };
  return { source: `${costs.source}, averaged`, seconds };
}
