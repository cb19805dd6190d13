/** Exchanges of uneven routings, and passes of their stages beside experts, on any engine. @module */
import * as allToAlls from "../../alltoall/mod.ts";
import { modelCosts } from "../../costs/mod.ts";
import type { Engine } from "../../engine.ts";
import { simulate } from "../../engines/mod.ts";
import { buildProgram } from "../../program/mod.ts";
import { loadsOf, trafficOfLoads, wavesOfLoads, zipfRouting } from "../../routing/mod.ts";
import { criticalPath, sequential } from "../../schedulers/mod.ts";
import { compareAllToAlls } from "../../studies/balancing/compare.ts";
import type { Decomposition } from "../../studies/balancing/decomposition.ts";
import { unevenProgram } from "../../studies/balancing/exchange.ts";
import { jointGraph } from "../../studies/balancing/joint_graph.ts";
import type { AllToAll, TrafficMatrix } from "../../alltoall/types.ts";
import type { Program } from "../../engine.ts";
import type { Loads, Topology } from "../../types.ts";
import { secondsOfOne } from "./exchange.ts";
import { hundredths, milliseconds, type Row } from "./report.ts";

const EXPONENTS = [0, 0.4, 0.8, 1.2];
const NAMES = ["linear", "pipe", "balanced", "rails", "fast", "matchings"];

/** Ways of a pass, out, experts and back: how its exchanges are cut, in how many waves, in which order. */
const PASSES: readonly (readonly [Decomposition, number, "in turn" | "joint"])[] = [
  ["at once", 1, "in turn"],
  ["at once", 1, "joint"],
  ["at once", 2, "joint"],
  ["ring", 1, "joint"],
  ["matchings", 1, "joint"],
  ["matchings", 2, "joint"],
  ["birkhoff", 1, "joint"],
];

/** Tokens of a rank, experts of all ranks, experts of a token, bytes of a token. */
export interface BalancedSizes {
  readonly tokens: number;
  readonly experts: number;
  readonly topK: number;
  readonly tokenBytes: number;
}

/** Where programs run, and what they are planned for. */
export interface BalancedOn {
  readonly engine: Engine;
  /** The engine's world with links as they are: plans, simulated times and bounds are of it. */
  readonly world: Topology;
  /** Name of the column of the times that the engine measured. */
  readonly column: string;
}

/** A row for each exponent and all-to-all, and for each exponent and way of a pass. */
export async function balancingRows(on: BalancedOn, sizes: BalancedSizes): Promise<Row[]> {
  const { engine, world, column } = on;
  const { tokenBytes, ...routing } = sizes;
  const rows: Row[] = [];
  for (const exponent of EXPONENTS) {
    const loads = loadsOf(zipfRouting({ ...routing, ranks: world.ranks, exponent }));
    const traffic = trafficOfLoads(loads, tokenBytes);
    const { rows: simulated, bound } = compareAllToAlls(world, traffic, NAMES);
    for (const { allToAll, seconds, phases, planningMs } of simulated) {
      const algorithm = (allToAlls as unknown as Record<string, AllToAll>)[allToAll];
      const measured = await secondsOfOne(engine, unevenProgram(world, algorithm, traffic));
      rows.push({
        ...{ zipf: exponent, what: "exchange", way: allToAll, phases },
        planningMs: hundredths(planningMs),
        ...times({ bound, seconds, measured, column }),
      });
    }
    rows.push(...await passes(on, loads, { exponent, tokenBytes }));
  }
  return rows;
}

const times = (
  { bound, seconds, measured, column }: {
    readonly bound: number;
    readonly seconds: number;
    readonly measured: number;
    readonly column: string;
  },
): Row => ({
  boundMs: milliseconds(bound),
  simulatedMs: milliseconds(seconds),
  [column]: milliseconds(measured),
  overBound: hundredths(measured / bound),
});

/** Passes whose experts take as long as their bytes over the network, in every way. */
async function passes(
  { engine, world, column }: BalancedOn,
  loads: Loads,
  { exponent, tokenBytes }: { readonly exponent: number; readonly tokenBytes: number },
): Promise<Row[]> {
  const flopsPerByte = world.processor.flopRate * world.links.inter.beta;
  const traffic = trafficOfLoads(loads, tokenBytes);
  const bound = passBound(world, traffic, flopsPerByte);
  const rows: Row[] = [];
  for (const [decomposition, waves, order] of PASSES) {
    const graph = jointGraph({
      ...{ topology: world, flopsPerByte },
      traffic: wavesOfLoads(loads, { waves, bytesPerToken: tokenBytes }),
    }, decomposition);
    const scheduler = order === "joint" ? criticalPath : sequential;
    const begun = performance.now();
    const schedule = scheduler.order(graph, modelCosts(world));
    const planningMs = performance.now() - begun;
    const program = buildProgram(graph, schedule, scheduler.name);
    const measured = graph.chunks * await secondsOfOne(engine, program);
    rows.push({
      ...{ zipf: exponent, what: "pass" },
      way: `${decomposition}${waves > 1 ? `, ${waves} waves` : ""}, ${order}`,
      phases: graph.tasks.length,
      planningMs: hundredths(planningMs),
      ...times({ bound, seconds: simulatedSeconds(program, world), measured, column }),
    });
  }
  return rows;
}

function simulatedSeconds(program: Program, world: Topology): number {
  const { end } = simulate(program, world);
  return 1e-9 * end.reduce((a, b) => Math.max(a, b), 0);
}

/** Least time of a pass: the bytes of both ways over the links, or the experts' work of the fullest rank. */
function passBound(world: Topology, traffic: TrafficMatrix, flopsPerByte: number): number {
  const { ranks } = traffic;
  const both = {
    ranks,
    bytes: (from: number, to: number) => traffic.bytes(from, to) + traffic.bytes(to, from),
  };
  let most = 0;
  for (let rank = 0; rank < ranks; rank++) {
    let bytes = 0;
    for (let from = 0; from < ranks; from++) bytes += traffic.bytes(from, rank);
    most = Math.max(most, bytes);
  }
  const { alpha, flopRate } = world.processor;
  return Math.max(allToAlls.allToAllBound(world, both), alpha + flopsPerByte * most / flopRate);
}
