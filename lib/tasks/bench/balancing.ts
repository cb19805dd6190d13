/** Uneven routings: all-to-alls, and passes of stages beside their experts; on emulated links, and their bound. @module */
import { openEngine } from "../../engines/mod.ts";
import * as allToAlls from "../../alltoall/mod.ts";
import { modelCosts } from "../../costs/mod.ts";
import { buildProgram } from "../../program/mod.ts";
import { loadsOf, trafficOfLoads, wavesOfLoads, zipfRouting } from "../../routing/mod.ts";
import { criticalPath, sequential } from "../../schedulers/mod.ts";
import type { Decomposition } from "../../studies/balancing/decomposition.ts";
import { jointGraph } from "../../studies/balancing/joint_graph.ts";
import { compareAllToAlls } from "../../studies/balancing/compare.ts";
import { unevenProgram } from "../../studies/balancing/exchange.ts";
import { topology } from "../../topology.ts";
import type { AllToAll, TrafficMatrix } from "../../alltoall/types.ts";
import type { Engine } from "../../engine.ts";
import type { Loads, Topology } from "../../types.ts";
import { secondsOfOne } from "./exchange.ts";
import { hundredths, milliseconds, type Report, type Row } from "./report.ts";

const EXPONENTS = [0, 0.4, 0.8, 1.2];
const NAMES = ["linear", "pipe", "balanced", "rails", "fast", "matchings"];
/** 256 tokens of each of 8 ranks, 2 of 16 experts each, 512 values of 4 bytes. */
const ROUTING = { ranks: 8, tokens: 256, experts: 16, topK: 2 };
const TOKEN_BYTES = 512 * 4;

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

/** Zipf 0 to 1.2 on 4 x 2 ranks of the CPU engine with emulated links. */
export async function benchBalancing(): Promise<Report> {
  const world = topology({ nodes: 4, ranksPerNode: 2 });
  const paced = { links: "emulated", computation: "paced" } as const;
  using engine = openEngine({ kind: "cpu", topology: world, ...paced });
  using simulator = openEngine({ kind: "simulate", topology: world });
  const rows: Row[] = [];
  for (const exponent of EXPONENTS) {
    const loads = loadsOf(zipfRouting({ ...ROUTING, exponent }));
    const traffic = trafficOfLoads(loads, TOKEN_BYTES);
    const { rows: simulated, bound } = compareAllToAlls(world, traffic, NAMES);
    for (const { allToAll, seconds, phases, planningMs } of simulated) {
      const algorithm = (allToAlls as unknown as Record<string, AllToAll>)[allToAll];
      const measured = await secondsOfOne(engine, unevenProgram(world, algorithm, traffic));
      rows.push({
        zipf: exponent,
        what: "exchange",
        way: allToAll,
        phases,
        planningMs: hundredths(planningMs),
        boundMs: milliseconds(bound),
        simulatedMs: milliseconds(seconds),
        cpuMs: milliseconds(measured),
        overBound: hundredths(measured / bound),
      });
    }
    rows.push(...await passes({ engine, simulator }, loads, { zipf: exponent }));
  }
  const { intra, inter } = world.links;
  return {
    configuration: {
      world: "4 x 2",
      engine: engine.timing,
      ...ROUTING,
      tokenBytes: TOKEN_BYTES,
      intra: `${intra.alpha * 1e6} us + ${Math.round(1e-6 / intra.beta)} MB/s`,
      inter: `${inter.alpha * 1e6} us + ${Math.round(1e-6 / inter.beta)} MB/s`,
    },
    rows,
  };
}

/** Passes whose experts take as long as their bytes over the network, in every way. */
async function passes(
  { engine, simulator }: { readonly engine: Engine; readonly simulator: Engine },
  loads: Loads,
  at: Row,
): Promise<Row[]> {
  const world = engine.topology;
  const flopsPerByte = world.processor.flopRate * world.links.inter.beta;
  const traffic = trafficOfLoads(loads, TOKEN_BYTES);
  const bound = passBound(world, traffic, flopsPerByte);
  const rows: Row[] = [];
  for (const [decomposition, waves, order] of PASSES) {
    const graph = jointGraph({
      ...{ topology: world, flopsPerByte },
      traffic: wavesOfLoads(loads, { waves, bytesPerToken: TOKEN_BYTES }),
    }, decomposition);
    const scheduler = order === "joint" ? criticalPath : sequential;
    const begun = performance.now();
    const schedule = scheduler.order(graph, modelCosts(world));
    const planningMs = performance.now() - begun;
    const program = buildProgram(graph, schedule, scheduler.name);
    const { end } = await simulator.run(program, simulator.workspace());
    const measured = graph.chunks * await secondsOfOne(engine, program);
    rows.push({
      ...at,
      what: "pass",
      way: `${decomposition}${waves > 1 ? `, ${waves} waves` : ""}, ${order}`,
      phases: graph.tasks.length,
      planningMs: hundredths(planningMs),
      boundMs: milliseconds(bound),
      simulatedMs: milliseconds(1e-9 * end.reduce((a, b) => Math.max(a, b), 0)),
      cpuMs: milliseconds(measured),
      overBound: hundredths(measured / bound),
    });
  }
  return rows;
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
