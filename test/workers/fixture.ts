/** Programs and processes of the tests of workers. */
import { linear, type Topology, topology } from "../../mod.ts";
import { buildProgram, type Program } from "../../lib/program/mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";

/** 2 x 2 ranks, the third of which computes far too slowly to ever get done. */
export const slowWorld: Topology = topology({
  nodes: 2,
  ranksPerNode: 2,
  speed: [1, 1, 1e-9, 1],
});

/** Every rank computes, and then all exchange. */
export function computeAndExchange(world: Topology): Program {
  const g = new GraphBuilder(world, "forward", 1);
  const bytes = 64 * world.ranks;
  const work = g.add({
    kind: "opaque",
    label: "work",
    chunk: 0,
    stage: 0,
    after: [],
    flops: 1e4,
  });
  g.allToAll({
    label: "A",
    chunk: 0,
    stage: 1,
    after: [work],
    algorithm: linear,
    sliceBytes: 64,
    scratch: "scratch",
    input: g.buffer("input", bytes),
    output: g.buffer("output", bytes),
  });
  const graph = g.build({});
  return buildProgram(graph, graph.tasks, "graph order");
}

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
