/** Good orders to begin with. @module */
import type { Costs } from "../../costs/types.ts";
import type { Scheduler } from "../types.ts";
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

/** When to look no further. */
export interface Enough {
  /** No order takes less. */
  readonly bound: number;
  /** Whether time is up. */
  readonly expired: () => boolean;
}

/**
 * The best of some rules: the order of Theorem 1, chunk after chunk, and lists by priority, which for many
 * tasks take long: as many of them as there is time for, and none after one that meets the bound.
 */
export function bestKnown(
  problem: Problem,
  costs: Costs,
  { bound, expired }: Enough,
): KnownOrder {
  const { graph, tail, ranks, tasks } = problem;
  const stages = graph.tasks.map(({ stage }) => stage);
  const longestTail = (task: number) =>
    tail.subarray(task * ranks, (task + 1) * ranks).reduce((a, b) => Math.max(a, b));
  const scheduled = (scheduler: Scheduler) => {
    const schedule = scheduler.order(graph, costs);
    return ("order" in schedule ? schedule.order : schedule).map(({ id }) => id);
  };
  const listed = (priority: (task: number) => number) => byPriority(problem, priority, expired);
  const rules: readonly (() => readonly number[] | undefined)[] = [
    () => scheduled(optSche),
    () => scheduled(sequential),
    () => graph.tasks.map(({ id }) => id),
    () => listed(longestTail),
    () => listed((task) => stages[task]),
    () => listed((task) => -stages[task]),
    () => listed((task) => tasks - task),
  ];
  let best: KnownOrder = { order: [], seconds: Infinity };
  for (const rule of rules) {
    if (best.seconds <= bound || (best.seconds < Infinity && expired())) break;
    const order = rule();
    const seconds = order && evaluate(problem, order)?.seconds;
    if (order && seconds !== undefined && seconds < best.seconds) best = { order, seconds };
  }
  return best;
}

/**
 * Always the task that can begin first, of several the one with the largest priority; undefined when time
 * is up before all have their place.
 */
function byPriority(
  problem: Problem,
  priority: (task: number) => number,
  expired: () => boolean,
): number[] | undefined {
  const bench = new Workbench(problem);
  const order: number[] = [];
  while (order.length < problem.tasks) {
    if (expired()) return undefined;
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
