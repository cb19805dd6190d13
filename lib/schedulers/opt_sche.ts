import type { Scheduler } from "./types.ts";
import type { Task, TaskGraph } from "../types.ts";
import { fillGaps, makespanOf } from "./fill_gaps.ts";
import { whenReady } from "./when_ready.ts";

/**
 * OptSche (Shi et al., "ScheMoE", EuroSys'24, Theorem 1): compute (C1 of all chunks), then (D1 E C2) chunk
 * after chunk, then (D2 of all chunks); communication A1 of all chunks, then A2, each as soon as ready.
 *
 * Optimal with equal chunks when C1 = C2, A1 = A2 and D1 = D2 in time. In the backward pass E is the
 * expert's two gradients, and the gate's gradient comes before the last D2s, where compute waits for A2. What waits for
 * sums of gradients over ranks comes before the last D2s too, or after what follows them, or as soon as it is ready and its
 * lane is free, whichever has the smallest makespan by the costs.
 *
 * A shared expert is none of the theorem's tasks. Where there is one, it is put where lanes wait, such as behind the first
 * A1, and with it all that no chunk waits for: weight gradients, the gate's gradient, sums of gradients over
 * ranks. Each is put where the makespan by the costs grows least.
 */
export const optSche: Scheduler = {
  name: "optSche",
  order: (graph, costs) => {
    const order = graph.tasks.toSorted((a, b) =>
      compare(rankOf(graph, a), rankOf(graph, b)) || a.id - b.id
    );
    if (!graph.tasks.some(({ label }) => SHARED.includes(label))) {
      const seconds = graph.tasks.map((task) => costs.seconds(task));
      const waiting = waitingForSums(graph);
      const last = (task: Task) => waiting.has(task.id);
      const late = [...order.filter((task) => !last(task)), ...order.filter(last)];
      const ofChunk = ({ chunk }: Task) => chunk >= 0 && chunk < graph.chunks;
      // chunks that wait for weights or loads of other ranks stay in the theorem's order
      const others = order.some((task) => last(task) && ofChunk(task))
        ? [late]
        : [late, whenReady(order, waiting, seconds)];
      return others.reduce((best, other) => {
        const gain = 1 - makespanOf(other, seconds) / makespanOf(best, seconds);
        return gain > 1e-9 ? other : best;
      }, order);
    }
    const beside = new Set<Task>();
    for (const task of graph.tasks) {
      // with a task goes what waits for nothing else
      const follows = task.after.length > 0 &&
        task.after.every((id) => beside.has(graph.tasks[id]));
      if (follows || needsNoChunk(graph, task)) beside.add(task);
    }
    return fillGaps({ graph, costs, order, beside });
  },
};

/** All that waits for sums over ranks; none of the others waits for it. */
function waitingForSums(graph: TaskGraph): Set<number> {
  const waiting = new Set<number>();
  for (const { id, after } of graph.tasks) {
    if (after.some((one) => graph.tasks[one].kind === "allReduce" || waiting.has(one))) {
      waiting.add(id);
    }
  }
  return waiting;
}

/** Labels of a shared expert's tasks. */
const SHARED = ["S", "Si", "Sw"];

/** Whether no chunk waits for it: it is a weight gradient, or comes after the chunks and needs none of them. */
const needsNoChunk = (graph: TaskGraph, task: Task): boolean =>
  task.kind === "expertWeightGrad" || (task.chunk >= graph.chunks && !dependsOnLegs(graph, task));

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
