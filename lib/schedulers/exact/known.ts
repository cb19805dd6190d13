/** Good orders to begin with. @module */
import type { Costs } from "../../types.ts";
import { optSche } from "../opt_sche.ts";
import { sequential } from "../sequential.ts";
import { evaluate } from "./evaluate.ts";
import type { Problem } from "./problem.ts";
import { Workbench } from "./state.ts";

/** An order and its makespan. */
export interface KnownOrder {
  readonly order: readonly number[];
  readonly seconds: number;
}

/** The best of some rules: the order of Theorem 1, chunk after chunk, and lists by priority. */
export function bestKnown(
  problem: Problem,
  costs: Costs,
): KnownOrder {
  const { graph, tail, ranks, tasks } = problem;
  const orders = [optSche, sequential].map((scheduler) => {
    const schedule = scheduler.order(graph, costs);
    return ("order" in schedule ? schedule.order : schedule).map(({ id }) => id);
  });
  const stages = graph.tasks.map(({ stage }) => stage);
  const longestTail = (task: number) =>
    tail.subarray(task * ranks, (task + 1) * ranks).reduce((a, b) => Math.max(a, b));
  orders.push(graph.tasks.map(({ id }) => id));
  orders.push(byPriority(problem, longestTail), byPriority(problem, (task) => stages[task]));
  orders.push(
    byPriority(problem, (task) => -stages[task]),
    byPriority(problem, (task) => tasks - task),
  );
  let best: KnownOrder = { order: [], seconds: Infinity };
  for (const order of orders) {
    const seconds = evaluate(problem, order)?.seconds ?? Infinity;
    if (seconds < best.seconds) best = { order, seconds };
  }
  return best;
}

/** Always the task that can begin first, of several the one with the largest priority. */
function byPriority(problem: Problem, priority: (task: number) => number): number[] {
  const bench = new Workbench(problem);
  const order: number[] = [];
  while (order.length < problem.tasks) {
    bench.bound();
    let best = -1;
    let begin = Infinity;
    for (let group = 0; group < problem.groups.length; group++) {
      const task = bench.eligible(group);
      if (task < 0) continue;
      const at = task * problem.ranks;
      const start = bench.ends[at] - problem.seconds[at];
      if (start < begin || (start === begin && priority(task) > priority(best))) {
        [best, begin] = [task, start];
      }
    }
    bench.append(best);
    order.push(best);
  }
  return order;
}
