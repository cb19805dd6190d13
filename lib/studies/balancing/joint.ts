/** Stages of an all-to-all scheduled jointly with the experts that wait for them: how far from the best. @module */
import { expect } from "../../arguments/mod.ts";
import { lowerBound, modelCosts } from "../../costs/mod.ts";
import { simulate } from "../../engines/mod.ts";
import { buildProgram } from "../../program/mod.ts";
import { criticalPath, exactSchedule, sequential } from "../../schedulers/mod.ts";
import type { TrafficMatrix } from "../../alltoall/types.ts";
import { type Decomposition, DECOMPOSITIONS } from "./decomposition.ts";
import { JOINT_OPTIONS, jointGraph, type JointOptions } from "./joint_graph.ts";

/** One way to cut the exchange, in one order. */
export interface JointRow {
  /** How the exchange was cut into stages. */
  readonly decomposition: Decomposition;
  /** Chunks by experts; each is cut further by the decomposition. */
  readonly waves: number;
  /** Order of the tasks: all of one stage before the next, by critical path, or the best that a search found. */
  readonly order: "one after another" | "joint" | "exact";
  /** Simulated makespan. */
  readonly seconds: number;
  /** Seconds over the best that is known of any row. */
  readonly overBest: number;
  /** Seconds over the lower bound of its own graph. */
  readonly overBound: number;
  /** Whether no order of this graph is shorter; known of `exact` alone. */
  readonly proven: boolean;
}

/** Seconds that an exact search may take. */
const TIME_LIMIT = 2;

/**
 * All decompositions, each with its tasks one after another, jointly by critical path, and in the best order
 * that `exact` finds: how far each is from the best. Where waves are given, each decomposition is made of all rows at
 * once too. On 16 worlds of 3 or 4 nodes x 1 or 2 ranks of `h200-ib400` under Zipf 0.4 to 1.2 (`deno task bench
 * joint`), matchings in joint order were 3 % from the best on average and 10 % at worst, no further than in their
 * own best order, everything at once 33 and 53 %; two waves of so few bytes cost more starts than they gain.
 *
 * ```ts
 * import { topology } from "@schemoe/lab";
 * import { compareJoint } from "@schemoe/lab/studies";
 * const world = topology({ nodes: 3, ranksPerNode: 1 });
 * const traffic = { ranks: 3, bytes: (from: number, to: number) => 1000 * (1 + ((from + 2 * to) % 3)) };
 * const rows = compareJoint({ topology: world, traffic, flopsPerByte: 200 });
 * console.assert(rows.length === 12 && rows.some(({ overBest }) => overBest === 1));
 * ```
 * @throws {SchemoeError} for a matrix of another world.
 */
export function compareJoint(options: JointOptions): JointRow[] {
  expect("compareJoint", "options", options, JOINT_OPTIONS);
  const { traffic } = options;
  const whole = "bytes" in traffic ? traffic : merged(traffic);
  const waves = "bytes" in traffic || traffic.length === 1 ? [whole] : [whole, traffic];
  const ways = waves.flatMap((traffic) =>
    DECOMPOSITIONS.map((decomposition) => ({ decomposition, traffic }))
  );
  const rows = ways.flatMap(({ decomposition, traffic }) => {
    const graph = jointGraph({ ...options, traffic }, decomposition);
    const costs = modelCosts(options.topology);
    const bound = lowerBound(graph, costs).seconds;
    const exact = exactSchedule(graph, costs, { timeLimit: TIME_LIMIT });
    const timed = (schedule: Parameters<typeof buildProgram>[1]) => {
      const { end } = simulate(buildProgram(graph, schedule, "joint"), options.topology);
      return end.reduce((a, b) => Math.max(a, b), 0) * 1e-9;
    };
    return [
      ["one after another", timed(sequential.order(graph, costs)), false] as const,
      ["joint", timed(criticalPath.order(graph, costs)), false] as const,
      ["exact", timed(exact.order), exact.proven] as const,
    ].map(([order, seconds, proven]) => ({
      decomposition,
      waves: "bytes" in traffic ? 1 : traffic.length,
      order,
      seconds,
      proven,
      overBound: seconds / bound,
    }));
  });
  const best = rows.reduce((least, { seconds }) => Math.min(least, seconds), Infinity);
  return rows.map((row) => ({ ...row, overBest: row.seconds / best }));
}

/** All waves together. */
const merged = (waves: readonly TrafficMatrix[]): TrafficMatrix => ({
  ranks: waves[0]?.ranks ?? 0,
  bytes: (from, to) => waves.reduce((sum, wave) => sum + wave.bytes(from, to), 0),
});
