/** Makespan of a whole order. @module */
import type { Problem } from "./problem.ts";

/** When each task of an order starts, on the first rank, and when all are done. */
export interface Evaluation {
  readonly seconds: number;
  readonly start: Float64Array;
}

/**
 * Times of an order: each task starts when its lane is free and its predecessors are done, a phase when
 * all its peers do. Undefined for an order in which a task comes before one that it depends on.
 */
export function evaluate(problem: Problem, order: readonly number[]): Evaluation | undefined {
  const { tasks, ranks, seconds, lane, before, peers } = problem;
  const ends = new Float64Array(tasks * ranks).fill(NaN);
  const start = new Float64Array(tasks);
  const free: Record<number, Float64Array> = [0, 1, 2].map(() => new Float64Array(ranks));
  let makespan = 0;
  for (const task of order) {
    const post = Float64Array.from(
      free[lane[task]],
      (time, rank) =>
        before[task].reduce(
          (latest, earlier) => Math.max(latest, ends[earlier * ranks + rank]),
          time,
        ),
    );
    if (Number.isNaN(post[0])) return undefined;
    for (let rank = 0; rank < ranks; rank++) {
      const begin = peers[task]?.[rank].reduce((latest, peer) =>
        Math.max(latest, post[peer]), post[rank]) ?? post[rank];
      const end = begin + seconds[task * ranks + rank];
      if (rank === 0) {
        start[task] = begin;
      }
      ends[task * ranks + rank] = free[lane[task]][rank] = end;
      makespan = Math.max(makespan, end);
    }
  }
  return { seconds: makespan, start };
}

/** The same order of every lane, tasks that start earlier first. */
export function byStart(order: readonly number[], { start }: Evaluation): number[] {
  const position = new Map(order.map((task, i) => [task, i]));
  return [...order].sort((a, b) => start[a] - start[b] || position.get(a)! - position.get(b)!);
}
