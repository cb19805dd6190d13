import type { Scheduler } from "./types.ts";
import type { Task, TaskGraph } from "../types.ts";

/**
 * OptSche (Shi et al., "ScheMoE", EuroSys'24, Theorem 1): compute (C1 of all chunks), then (D1 E C2) chunk
 * after chunk, then (D2 of all chunks); communication A1 of all chunks, then A2, each as soon as ready.
 *
 * Optimal with equal chunks when C1 = C2, A1 = A2 and D1 = D2 in time. In the backward pass E is the
 * expert's two gradients, and the gate's gradient comes before the last D2s, where compute waits for A2.
 */
export const optSche: Scheduler = {
  name: "optSche",
  order: (graph) =>
    graph.tasks.toSorted((a, b) => compare(rankOf(graph, a), rankOf(graph, b)) || a.id - b.id),
};

/** Block of the order, chunk inside it, stage inside that. */
function rankOf(graph: TaskGraph, task: Task): readonly number[] {
  if (task.chunk < 0) return [0, 0, task.stage];
  if (task.chunk >= graph.chunks) return [dependsOnLegs(graph, task) ? 5 : 3, 0, task.stage];
  switch (task.label) {
    case "C1":
    case "A1":
      return [1, task.chunk, task.stage];
    case "D2":
      return [4, task.chunk, task.stage];
    default:
      return [2, task.chunk, task.stage];
  }
}

/** Whether a task follows the chunks because it depends on them. */
function dependsOnLegs(graph: TaskGraph, task: Task): boolean {
  return task.after.some((id) => {
    const { chunk } = graph.tasks[id];
    return chunk >= 0 && (chunk < graph.chunks || dependsOnLegs(graph, graph.tasks[id]));
  });
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at < 0 ? 0 : a[at] - b[at];
}
