/** How fast the simulator is: large worlds, one node for all, and time against operations. @module */
import { modelCosts } from "../../costs/mod.ts";
import { simulate } from "../../engines/mod.ts";
import { backwardGraph, forwardGraph, GraphBuilder } from "../../graph/mod.ts";
import { resolveLayer } from "../../blocks/mod.ts";
import { capacitySlices } from "../../chunking/mod.ts";
import { hierarchical2d } from "../../alltoall/mod.ts";
import { none } from "../../compressors/mod.ts";
import { buildProgram } from "../../program/mod.ts";
import { optSche } from "../../schedulers/mod.ts";
import { uniforms } from "../../random.ts";
import { topology } from "../../topology.ts";
import type { Costs } from "../../costs/types.ts";
import type { EventTable, Program } from "../../engine.ts";
import type { Task, Topology } from "../../types.ts";
import { hundredths, median, milliseconds, type Report, type Row } from "./report.ts";

const CHUNKS = 8;
const RANKS_PER_NODE = 8;
const REPETITIONS = 5;

/** Simulations of 2DH layers of thousands of ranks, and of chains of growing length. */
export function benchSimulate(): Promise<Report> {
  const rows: Row[] = [];
  for (const nodes of [8, 64, 512]) rows.push(fullWorld(nodes));
  for (const nodes of [512, 2048]) rows.push(oneNodeForAll(nodes));
  for (const tasks of [10, 100, 1000, 10_000]) rows.push(chain(tasks));
  return Promise.resolve({
    configuration: {
      allToAll: hierarchical2d.name,
      scheduler: optSche.name,
      chunks: CHUNKS,
      passes: "forward and backward",
      ranksPerNode: RANKS_PER_NODE,
      repetitions: REPETITIONS,
    },
    rows,
  });
}

/** Every rank, each with computation times of its own; the first time with all plans. */
function fullWorld(nodes: number): Row {
  const world = topology({ nodes, ranksPerNode: RANKS_PER_NODE });
  const begin = performance.now();
  const programs = passes(world);
  const graphs = performance.now() - begin;
  const costs = programs.map((program) => randomCosts(program, world));
  const run = () => programs.map((program, i) => simulate(program, world, { costs: costs[i] }));
  const first = timed(run);
  return row("every rank, random times", world, programs, { graphs, first, again: again(run) });
}

/** The ranks of one node represent all. */
function oneNodeForAll(nodes: number): Row {
  const world = topology({ nodes, ranksPerNode: RANKS_PER_NODE });
  const begin = performance.now();
  const programs = passes(world);
  const graphs = performance.now() - begin;
  const run = () => programs.map((program) => simulate(program, world, { representatives: true }));
  const first = timed(run);
  return row("one node for all", world, programs, { graphs, first, again: again(run) });
}

/** Computations and exchanges in turn, on 64 ranks: operations without plans. */
function chain(tasks: number): Row {
  const world = topology({ nodes: 8, ranksPerNode: 8 });
  const g = new GraphBuilder(world, "forward", tasks);
  const views = { input: { buffer: "i", offset: 0 }, output: { buffer: "o", offset: 0 } };
  let after: Task[] = [];
  const begin = performance.now();
  for (let chunk = 0; chunk < tasks / 5; chunk++) {
    const label = "E";
    after = [g.add({ kind: "expert", label, chunk, stage: 0, after, flops: 1e6 })];
    const exchange = { label: "A", chunk, stage: 1, after, ...views, scratch: "s" };
    after = g.allToAll({ ...exchange, algorithm: hierarchical2d, sliceBytes: 1024 });
  }
  const graph = g.build({});
  const programs = [buildProgram(graph, graph.tasks, "chain")];
  const graphs = performance.now() - begin;
  const run = () => [simulate(programs[0], world)];
  const first = timed(run);
  return row("chain", world, programs, { graphs, first, again: again(run) });
}

function passes(world: Topology): Program[] {
  const experts = world.ranks;
  const layer = resolveLayer({ tokens: 8 * experts, modelDim: 64, hiddenDim: 64, experts }, world);
  const chunks = capacitySlices(CHUNKS).split({ capacity: 8, topology: world });
  const pass = {
    layer,
    capacity: 8,
    chunks,
    allToAll: hierarchical2d,
    configuration: {},
    compressor: { dispatch: none, combine: none },
  };
  const graphs = [
    forwardGraph({ ...pass, gate: true }),
    backwardGraph({ ...pass, forwardChunks: chunks }),
  ];
  return graphs.map((graph) =>
    buildProgram(graph, optSche.order(graph, modelCosts(world)), optSche.name)
  );
}

/** The model's times of transfers; of computation the model's times a factor between 0.5 and 1.5. */
function randomCosts(program: Program, world: Topology): Costs {
  const model = modelCosts(world);
  const random = uniforms(1);
  const factors = new Map(
    program.order.filter(({ transfers }) => !transfers).map((task) => [
      task,
      Float64Array.from({ length: world.ranks }, () => 0.5 + random()),
    ]),
  );
  return {
    source: "random",
    seconds: (task, rank = 0) => (factors.get(task)?.[rank] ?? 1) * model.seconds(task, rank),
  };
}

function timed(run: () => unknown): number {
  const begin = performance.now();
  run();
  return performance.now() - begin;
}

const again = (run: () => EventTable[]) =>
  median(Array.from({ length: REPETITIONS }, () => timed(run)));

function row(
  what: string,
  world: Topology,
  programs: readonly Program[],
  ms: { graphs: number; first: number; again: number },
): Row {
  const positions = programs.reduce((sum, { order }) => sum + order.length, 0);
  const ranks = what === "one node for all" ? world.ranksPerNode : world.ranks;
  const operations = positions * ranks;
  return {
    what,
    ranks: world.ranks,
    positions,
    operations,
    graphsMs: milliseconds(ms.graphs * 1e-3),
    firstMs: milliseconds(ms.first * 1e-3),
    againMs: milliseconds(ms.again * 1e-3),
    millionOperationsPerSecond: hundredths(operations / ms.again * 1e-3),
  };
}
