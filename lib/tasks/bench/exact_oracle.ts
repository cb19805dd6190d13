/** Slow and simple ways to find the shortest order, written without what `exact` uses. */
import type { Costs } from "../../costs/types.ts";
import type { Task, TaskGraph } from "../../types.ts";

/** Makespan of an order: each lane of each rank runs its tasks in it, phases begin together with their peers. */
export function makespanOf(graph: TaskGraph, costs: Costs, order: readonly Task[]): number {
  const { ranks } = graph.topology;
  const end = new Map<string, number>();
  const free = new Map<string, number>();
  let makespan = 0;
  for (const task of order) {
    const post = (rank: number) =>
      Math.max(
        free.get(`${task.lane} ${rank}`) ?? 0,
        ...task.after.map((id) => end.get(`${id} ${rank}`)!),
      );
    const posts = Array.from({ length: ranks }, (_, rank) => post(rank));
    for (let rank = 0; rank < ranks; rank++) {
      const peers = (task.transfers?.(rank) ?? []).map(({ peer }) => posts[peer]);
      const done = Math.max(posts[rank], ...peers) + costs.seconds(task, rank);
      end.set(`${task.id} ${rank}`, done);
      free.set(`${task.lane} ${rank}`, done);
      makespan = Math.max(makespan, done);
    }
  }
  return makespan;
}

/** The least makespan of all orders, on any number of ranks, each order worked out on its own. */
export function exhaustiveRanks(graph: TaskGraph, costs: Costs): number {
  const { tasks } = graph;
  const order: Task[] = [];
  let best = Infinity;
  const place = () => {
    if (order.length === tasks.length) best = Math.min(best, makespanOf(graph, costs, order));
    const last = order.at(-1);
    for (const task of tasks) {
      if (order.includes(task) || !task.after.every((id) => order.includes(tasks[id]))) continue;
      if (last && last.id > task.id && last.lane !== task.lane && !task.after.includes(last.id)) {
        continue;
      }
      order.push(task);
      place();
      order.pop();
    }
  };
  place();
  return best;
}

/**
 * The least makespan of all orders on one rank. Of orders that differ only in neighbours which neither share a lane
 * nor depend on each other, one is tried. With `prune`, beginnings that cannot become shorter than the
 * best are given up, by open chains and by the work left on each lane: a branch and bound without
 * dominance, without counting of chunks, and with every task next, not only those of active schedules.
 */
export function exhaustive(
  graph: TaskGraph,
  costs: Costs,
  { prune = false, atMost = Infinity } = {},
): { seconds: number; orders: number } {
  const { tasks } = graph;
  const seconds = tasks.map((task) => costs.seconds(task, 0));
  const lane = tasks.map((task) => ["compute", "intra", "inter"].indexOf(task.lane));
  const tail = new Float64Array(tasks.length);
  for (const { id, after } of tasks.toReversed()) {
    for (const before of after) tail[before] = Math.max(tail[before], seconds[id] + tail[id]);
  }
  const end = new Float64Array(tasks.length).fill(-1);
  const free = [0, 0, 0];
  let best = atMost;
  let orders = 0;
  const ends = new Float64Array(tasks.length);
  const hopeless = () => {
    const head = [Infinity, Infinity, Infinity];
    const work = [0, 0, 0];
    const least = [Infinity, Infinity, Infinity];
    for (const { id, after } of tasks) {
      const on = lane[id];
      ends[id] = end[id];
      if (end[id] >= 0) continue;
      const start = after.reduce((latest, before) => Math.max(latest, ends[before]), free[on]);
      ends[id] = start + seconds[id];
      if (ends[id] + tail[id] >= best) return true;
      head[on] = Math.min(head[on], start);
      work[on] += seconds[id];
      least[on] = Math.min(least[on], tail[id]);
    }
    return head.some((start, on) => start < Infinity && start + work[on] + least[on] >= best);
  };
  const place = (count: number, last: number, now: number) => {
    if (count === tasks.length) {
      orders++;
      best = Math.min(best, now);
      return;
    }
    for (const { id, after } of tasks) {
      if (end[id] >= 0) continue;
      if (last > id && lane[last] !== lane[id] && !after.includes(last)) continue;
      let start = free[lane[id]];
      let ready = true;
      for (const before of after) {
        if (end[before] < 0) ready = false;
        start = Math.max(start, end[before]);
      }
      if (!ready) continue;
      const done = start + seconds[id];
      const freeBefore = free[lane[id]];
      free[lane[id]] = end[id] = done;
      if (!prune || !hopeless()) place(count + 1, id, Math.max(now, done));
      free[lane[id]] = freeBefore;
      end[id] = -1;
    }
  };
  if (!prune || !hopeless()) place(0, -1, 0);
  return { seconds: best, orders };
}
