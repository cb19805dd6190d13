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
  /** The engine's world with links as they are: plans and simulated times are of it. */
  readonly world: Topology;
}

/** What no exchange can be faster than, and how far a measured time may lie below it by chance. */
export interface Limits {
  readonly bound: (traffic: TrafficMatrix) => number;
  /** A part of the bound. */
  readonly spread: number;
}

/** One exchange or pass as it ran. */
export interface BalancedTime {
  readonly text: Row;
  /** All bytes that cross links. */
  readonly traffic: TrafficMatrix;
  /** Work of the busiest rank, in seconds. */
  readonly work: number;
  readonly simulated: number;
  readonly measured: number;
}

/** A row for each exponent and all-to-all, and for each exponent and way of a pass; bounds are those of the world. */
export async function balancingRows(
  on: BalancedOn & { readonly column: string },
  sizes: BalancedSizes,
): Promise<Row[]> {
  const bound = (traffic: TrafficMatrix) => allToAlls.allToAllBound(on.world, traffic);
  return rowsOf(await balancingTimes(on, sizes), { column: on.column, bound, spread: 0.01 });
}

/** Times beside their bounds; what comes below by more than chance says that the bound is none. */
export const rowsOf = (
  times: readonly BalancedTime[],
  { column, bound, spread }: Limits & { readonly column: string },
): Row[] =>
  times.map(({ text, traffic, work, simulated, measured }) => {
    const least = Math.max(bound(traffic), work);
    return {
      ...text,
      boundMs: milliseconds(least),
      simulatedMs: milliseconds(simulated),
      [column]: milliseconds(measured),
      overBound: hundredths(measured / least),
      ...(measured < least * (1 - spread) ? { valid: false } : {}),
    };
  });

/** Every exponent's exchanges and passes, run one after another. */
export async function balancingTimes(
  on: BalancedOn,
  sizes: BalancedSizes,
): Promise<BalancedTime[]> {
  const { engine, world } = on;
  const { tokenBytes, ...routing } = sizes;
  const rows: BalancedTime[] = [];
  for (const exponent of EXPONENTS) {
    const loads = loadsOf(zipfRouting({ ...routing, ranks: world.ranks, exponent }));
    const traffic = trafficOfLoads(loads, tokenBytes);
    const { rows: simulated } = compareAllToAlls(world, traffic, NAMES);
    for (const { allToAll, seconds, phases, planningMs } of simulated) {
      const algorithm = (allToAlls as unknown as Record<string, AllToAll>)[allToAll];
      const measured = await secondsOfOne(engine, unevenProgram(world, algorithm, traffic));
      rows.push({
        text: {
          ...{ zipf: exponent, what: "exchange", way: allToAll, phases },
          planningMs: hundredths(planningMs),
        },
        traffic,
        work: 0,
        simulated: seconds,
        measured,
      });
    }
    rows.push(...await passes(on, loads, { exponent, tokenBytes }));
  }
  return rows;
}

/** Passes whose experts take as long as their bytes over the slowest links that there are, in every way. */
async function passes(
  { engine, world }: BalancedOn,
  loads: Loads,
  { exponent, tokenBytes }: { readonly exponent: number; readonly tokenBytes: number },
): Promise<BalancedTime[]> {
  const { inter, intra } = world.links;
  const { beta } = world.nodes > 1 ? inter : intra;
  const flopsPerByte = world.processor.flopRate * beta;
  const all = trafficOfLoads(loads, tokenBytes);
  const traffic = bothWays(all);
  const work = workOf(world, all, flopsPerByte);
  const rows: BalancedTime[] = [];
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
      text: {
        ...{ zipf: exponent, what: "pass" },
        way: `${decomposition}${waves > 1 ? `, ${waves} waves` : ""}, ${order}`,
        phases: graph.tasks.length,
        planningMs: hundredths(planningMs),
      },
      traffic,
      work,
      simulated: simulatedSeconds(program, world),
      measured,
    });
  }
  return rows;
}

function simulatedSeconds(program: Program, world: Topology): number {
  const { end } = simulate(program, world);
  return 1e-9 * end.reduce((a, b) => Math.max(a, b), 0);
}

/** What goes out to the experts comes back. */
const bothWays = ({ ranks, bytes }: TrafficMatrix): TrafficMatrix => ({
  ranks,
  bytes: (from, to) => bytes(from, to) + bytes(to, from),
});

/** Seconds of the experts of the fullest rank. */
function workOf({ processor }: Topology, traffic: TrafficMatrix, flopsPerByte: number): number {
  const { ranks } = traffic;
  let most = 0;
  for (let rank = 0; rank < ranks; rank++) {
    let bytes = 0;
    for (let from = 0; from < ranks; from++) bytes += traffic.bytes(from, rank);
    most = Math.max(most, bytes);
  }
  return processor.alpha + flopsPerByte * most / processor.flopRate;
}
