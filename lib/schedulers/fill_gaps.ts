/** Tasks beside a pipeline, put where its lanes would wait. @module */
import type { Costs } from "../costs/types.ts";
import type { Task, TaskGraph } from "../types.ts";

/** Tasks up to which every place of a task beside the pipeline is tried; of more, the first and the last. */
const TRIED = 240;

/** An order to be filled. */
export interface Gaps {
  readonly graph: TaskGraph;
  readonly costs: Costs;
  /** Of all tasks; those that are not beside keep their order on each lane. */
  readonly order: readonly Task[];
  /** The tasks that are placed, in the order in which they were added to the graph. */
  readonly beside: ReadonlySet<Task>;
}

/** Times that all tasks are placed anew, each with the others in their places. */
const ROUNDS = 2;

/**
 * Puts one task after another where the makespan grows least, as early as that allows, the others staying in their
 * order: on one rank as slow as the slowest of each task. Where one has no place, since another that stays comes before
 * what it needs, the order is given back as it is.
 */
export function fillGaps({ graph, costs, order, beside }: Gaps): Task[] {
  const seconds = graph.tasks.map((task) => costs.seconds(task));
  const added = order.filter((task) => beside.has(task)).toSorted((a, b) => a.id - b.id);
  let placed = byStart(order.filter((task) => !beside.has(task)), seconds);
  for (let round = 0; round <= (order.length <= TRIED ? ROUNDS : 0); round++) {
    for (const task of added) {
      const found = bestOf(task, placed.filter((one) => one !== task), seconds);
      if (!found) return [...order];
      placed = found;
    }
  }
  return placed;
}

/** The order with a task where the makespan is least. */
function bestOf(
  task: Task,
  order: readonly Task[],
  seconds: readonly number[],
): Task[] | undefined {
  let best: { readonly order: Task[]; readonly makespan: number } | undefined;
  for (const at of placesOf(task, order)) {
    const tried = order.toSpliced(at, 0, task);
    const { makespan } = timesOf(tried, seconds);
    if (!best || makespan < best.makespan * (1 - 1e-9)) best = { order: tried, makespan };
  }
  return best && byStart(best.order, seconds);
}

/** Where a task may be put: before each task of its lane, and last; after what it needs and before what needs it. */
function placesOf(task: Task, order: readonly Task[]): number[] {
  const needed = new Set(task.after);
  const first = 1 + order.findLastIndex(({ id }) => needed.has(id));
  const until = order.findIndex(({ after }) => after.includes(task.id));
  const last = until < 0 ? order.length : until;
  if (first > last) return [];
  const between = [];
  if (order.length <= TRIED) {
    for (let at = first + 1; at < last; at++) if (order[at].lane === task.lane) between.push(at);
  }
  return [first, ...between, last];
}

/** The end of the last task of an order, by the times of one rank as slow as the slowest of each task. */
export const makespanOf = (order: readonly Task[], seconds: readonly number[]): number =>
  timesOf(order, seconds).makespan;

/** Starts of tasks that begin as soon as their lane is free and what they need is done, and the end of the last. */
function timesOf(order: readonly Task[], seconds: readonly number[]) {
  const ends = new Float64Array(seconds.length);
  const free = { compute: 0, intra: 0, inter: 0 };
  let makespan = 0;
  const starts = order.map((task) => {
    // what is not placed yet takes no time
    const start = task.after.reduce(
      (latest, id) => Math.max(latest, ends[id]),
      free[task.lane],
    );
    const end = start + seconds[task.id];
    ends[task.id] = end;
    free[task.lane] = end;
    makespan = Math.max(makespan, end);
    return start;
  });
  return { starts, makespan };
}

/** The same order of each lane, tasks that start earlier first. */
function byStart(order: readonly Task[], seconds: readonly number[]): Task[] {
  const { starts } = timesOf(order, seconds);
  const places = Array.from(order.keys());
  return places.sort((a, b) => starts[a] - starts[b] || a - b).map((at) => order[at]);
}
