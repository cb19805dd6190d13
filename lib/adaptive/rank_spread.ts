/** How much ranks of a run differ in speed. @module */
import type { Task } from "../types.ts";
import type { Measurement } from "./collect.ts";
import { observe, takenBy } from "./observe.ts";

/** Ranks of which the slowest takes less than this part longer than the mean are alike. */
const ALIKE = 0.05;

/**
 * How many times longer than the mean of the ranks computation takes on the fastest rank of a run, on the next one, and
 * so on to the slowest: means over runs. Which rank that is changes from run to run, as where a thread shares a core with
 * another one; all ranks wait for it wherever they exchange. Undefined where ranks are alike.
 * @param expected seconds of a task on a rank.
 */
export function rankSpread(
  measured: readonly Measurement[],
  expected: (task: Task, rank: number) => number,
): number[] | undefined {
  const sums: number[] = [];
  let runs = 0;
  for (const { program, runs: tables } of measured) {
    const { ranks } = program.graph.topology;
    for (const events of tables) {
      const [taken, meant] = [new Float64Array(ranks), new Float64Array(ranks)];
      for (const one of observe(program, events)) {
        if (one.task.transfers || !one.task.kernels) continue;
        taken[one.rank] += takenBy(one);
        meant[one.rank] += expected(one.task, one.rank);
      }
      if (!meant.every((seconds) => seconds > 0)) continue;
      const factors = taken.map((seconds, rank) => seconds / meant[rank]).sort();
      const mean = factors.reduce((sum, factor) => sum + factor, 0) / ranks;
      for (const [i, factor] of factors.entries()) sums[i] = (sums[i] ?? 0) + factor / mean;
      runs++;
    }
  }
  const spread = sums.map((sum) => sum / runs);
  return spread.length > 0 && spread.at(-1)! > 1 + ALIKE ? spread : undefined;
}
