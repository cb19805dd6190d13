/** Runs of graphs whose task times are written down. @module */
import { aGraph, aScheduler, expect, record, someCosts } from "../arguments/mod.ts";
import { lowerBound } from "../costs/mod.ts";
import { simulate } from "../engines/mod.ts";
import { buildProgram } from "../program/mod.ts";
import type { CostedGraph } from "../schedulers/mod.ts";
import type { Scheduler } from "../schedulers/types.ts";
import { Run } from "./run.ts";

const TIMED_RUN_OF = record("a graph with its costs { graph, costs }", {
  graph: aGraph,
  costs: someCosts,
});

/**
 * Simulates a graph by its costs alone, such as one of `timedGraph`, in the order of a scheduler.
 *
 * ```ts
 * import { optSche } from "@schemoe/lab";
 * import { timedGraph } from "@schemoe/lab/graph";
 * import { timedRun } from "@schemoe/lab/layer";
 * const run = timedRun(timedGraph({ chunks: 2, times: { A1: 1, E: 2, A2: 1 } }), optSche);
 * console.assert(run.makespan === 6 && run.bound === 6);
 * ```
 * @throws {SchemoeError} for wrong costs, or an order that is none of the graph.
 */
export function timedRun(of: CostedGraph, scheduler: Scheduler): Run {
  expect("timedRun", "of", of, TIMED_RUN_OF);
  expect("timedRun", "scheduler", scheduler, aScheduler);
  const { graph, costs } = of;
  const program = buildProgram(graph, scheduler.order(graph, costs), scheduler.name);
  const events = simulate(program, graph.topology, { costs });
  return new Run({
    name: scheduler.name,
    pass: graph.pass,
    configuration: { scheduler: scheduler.name, chunks: graph.chunks, times: costs.source },
    ran: [{ program, events, costs, bound: lowerBound(graph, costs) }],
  });
}
