/** All-to-alls of one traffic matrix side by side: time, bound, and what planning costs. @module */
import { aTopology, expect, listOf, something, someTraffic } from "../../arguments/mod.ts";
import { type AllToAllBound, allToAllBounds } from "../../alltoall/mod.ts";
import * as allToAlls from "../../alltoall/mod.ts";
import { simulate } from "../../engines/mod.ts";
import type { AllToAll, TrafficMatrix } from "../../alltoall/types.ts";
import { SchemoeError, type Topology } from "../../types.ts";
import { unevenProgram } from "./exchange.ts";
import { didYouMean, quoted } from "../../words.ts";

const COMPARE_ALL_TO_ALLS_NAMES = listOf(something, "all-to-alls");

/** One all-to-all. */
export interface AllToAllRow {
  /** Name of the algorithm. */
  readonly allToAll: string;
  /** Of the exchange, simulated. */
  readonly seconds: number;
  /** Its time over the largest bound that holds for every algorithm. */
  readonly overBound: number;
  /** Phases, each a task that a scheduler may place. */
  readonly phases: number;
  /** Time of one rank to plan, from the matrix to its steps; measured on this machine. */
  readonly planningMs: number;
}

/** The compared all-to-alls, and their bounds. */
export interface AllToAllComparison {
  /** One for each all-to-all. */
  readonly rows: readonly AllToAllRow[];
  /** What holds for any algorithm, and for direct sending. */
  readonly bounds: readonly AllToAllBound[];
  /** The largest bound that holds for every algorithm. */
  readonly bound: number;
}

const DEFAULT = ["linear", "pipe", "hierarchical2d", "balanced", "rails", "fast", "matchings"];
/** Plannings of which the quickest counts: the first ones include compiling. One in larger worlds. */
const PLANNINGS = 3;
const MANY_RANKS = 256;

/**
 * Simulates one exchange under several all-to-alls.
 *
 * ```ts
 * import { testbed } from "@schemoe/lab";
 * import { zipfRouting } from "@schemoe/lab/routing";
 * import { compareAllToAlls } from "@schemoe/lab/studies";
 * import { loadsOf, trafficOfLoads } from "@schemoe/lab/routing";
 * const { topology } = testbed("h200-ib400", { nodes: 2, ranksPerNode: 4 });
 * const routing = zipfRouting({ ranks: 8, tokens: 1024, experts: 16, topK: 2, exponent: 1 });
 * const { rows, bound } = compareAllToAlls(topology, trafficOfLoads(loadsOf(routing), 8192));
 * console.assert(rows.every(({ seconds }) => seconds >= bound));
 * ```
 * @param names built-in ones or values; default linear, pipe, 2DH and all that plan by traffic.
 * @throws {SchemoeError} for an unknown name, or a matrix of another world.
 */
export function compareAllToAlls(
  topology: Topology,
  traffic: TrafficMatrix,
  names: readonly (AllToAll | string)[] = DEFAULT,
): AllToAllComparison {
  expect("compareAllToAlls", "topology", topology, aTopology);
  expect("compareAllToAlls", "traffic", traffic, someTraffic);
  expect("compareAllToAlls", "names", names, COMPARE_ALL_TO_ALLS_NAMES);
  if (traffic.ranks !== topology.ranks) {
    throw new SchemoeError(
      `Cannot compare the all-to-alls: the traffic is of ${traffic.ranks} ranks, the world has ${topology.ranks}`,
    );
  }
  const bounds = allToAllBounds(topology, traffic);
  const bound = bounds.reduce((most, b) => b.general ? Math.max(most, b.seconds) : most, 0);
  const rows = names.map((name) => {
    const algorithm = typeof name === "string" ? named(name) : name;
    const program = unevenProgram(topology, algorithm, traffic);
    const { end } = simulate(program, topology);
    const seconds = end.reduce((a, b) => Math.max(a, b), 0) * 1e-9;
    return {
      allToAll: algorithm.name,
      seconds,
      overBound: bound > 0 ? seconds / bound : 1,
      phases: program.order.length,
      planningMs: planningMs(algorithm, topology, traffic),
    };
  });
  return { rows, bounds, bound };
}

function named(name: string): AllToAll {
  const found = (allToAlls as unknown as Record<string, AllToAll>)[name];
  if (typeof found?.plan === "function") return found;
  throw new SchemoeError(
    `Unknown all-to-all ${quoted(name)}: choose one of ${DEFAULT.join(", ")}, ...${
      didYouMean(name, Object.keys(allToAlls))
    }`,
  );
}

function planningMs(algorithm: AllToAll, topology: Topology, { ranks, bytes }: TrafficMatrix) {
  let least = Infinity;
  for (let i = 0; i < (ranks > MANY_RANKS ? 1 : PLANNINGS); i++) {
    const traffic = { ranks, bytes }; // another object, so that nothing is known of it
    const begun = performance.now();
    algorithm.plan({ rank: 0, topology, traffic });
    least = Math.min(least, performance.now() - begun);
  }
  return least;
}
