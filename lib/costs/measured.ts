/** Costs read off runs in which each task ran alone. @module */
import { aProgram, expect, someEvents, someOf } from "../arguments/mod.ts";
import type { Costs } from "./types.ts";
import type { EventTable, Program } from "../engine.ts";
import { SchemoeError } from "../types.ts";

const MEASURED_COSTS_RUNS = someOf(someEvents, "tables of events");

const SECONDS = 1e-9;

/**
 * Costs from isolated runs (`RunOptions.isolated`) of one Program: the shortest time of each operation,
 * without its waiting for peers. One table serves all orders of the same graph.
 */
export function measuredCosts(program: Program, runs: readonly EventTable[]): Costs {
  expect("measuredCosts", "program", program, aProgram);
  expect("measuredCosts", "runs", runs, MEASURED_COSTS_RUNS);
  const { graph } = program;
  const { ranks } = graph.topology;
  const seconds = new Float64Array(graph.tasks.length * ranks).fill(Infinity);
  for (const { position, rank, start, end, wait } of runs) {
    for (let i = 0; i < position.length; i++) {
      const at = program.order[position[i]].id * ranks + rank[i];
      seconds[at] = Math.min(seconds[at], (end[i] - start[i] - wait[i]) * SECONDS);
    }
  }
  return {
    source: `measured alone, best of ${runs.length}`,
    seconds(task, rank) {
      if (graph.tasks[task.id] !== task) {
        throw new SchemoeError(
          `Cannot cost the task ${task.name}: it is not in the graph that was measured`,
        );
      }
      const row = seconds.subarray(task.id * ranks, (task.id + 1) * ranks);
      return rank === undefined ? row.reduce((a, b) => Math.max(a, b), 0) : row[rank];
    },
  };
}
