/** List scheduling: the greedy way to fill lanes. @module */
import type { Costs } from "../costs/types.ts";
import { type Lane, LANES, type Task, type TaskGraph } from "../types.ts";

/**
 * Simulates the graph on one rank, as slow as the slowest of each task: whenever a lane is free it
 * begins its ready task of the highest priority, or waits when none is ready. Returns the tasks in
 * the order in which they begin (Graham, "Bounds on Multiprocessing Timing Anomalies", SIAM J. Appl.
 * Math. 17(2), 1969). Some lane always works, so it takes at most the work of all lanes together, and
 * so at most three times the best.
 *
 * @param priority larger runs first; ties go to the task that was added first.
 */
export function listSchedule(
  graph: TaskGraph,
  costs: Costs,
  priority: (task: Task) => number,
): Task[] {
  const { tasks } = graph;
  const priorities = tasks.map(priority);
  const open = tasks.map(({ after }) => after.length);
  const next = successors(graph);
  const ready: Record<Lane, Task[]> = { compute: [], intra: [], inter: [] };
  const running: Partial<Record<Lane, { task: Task; end: number }>> = {};
  const order: Task[] = [];
  let now = 0;
  for (const task of tasks) if (open[task.id] === 0) ready[task.lane].push(task);
  while (order.length < tasks.length) {
    for (const lane of LANES) {
      if (running[lane] || ready[lane].length === 0) continue;
      const task = ready[lane].reduce((best, other) =>
        priorities[other.id] > priorities[best.id] ||
          (priorities[other.id] === priorities[best.id] && other.id < best.id)
          ? other
          : best
      );
      ready[lane].splice(ready[lane].indexOf(task), 1);
      order.push(task);
      running[lane] = { task, end: now + costs.seconds(task) };
    }
    now = Math.min(...LANES.map((lane) => running[lane]?.end ?? Infinity));
    for (const lane of LANES) {
      const ended = running[lane];
      if (!ended || ended.end > now) continue;
      delete running[lane];
      for (const task of next[ended.task.id]) {
        if (--open[task.id] === 0) ready[task.lane].push(task);
      }
    }
  }
  return order;
}

/** Successors of each task. */
export function successors({ tasks }: TaskGraph): Task[][] {
  const next: Task[][] = tasks.map(() => []);
  for (const task of tasks) for (const id of task.after) next[id].push(task);
  return next;
}
