/** Programs of one all-to-all of equal slices and nothing else. @module */
import { aCount, anAllToAll, aTopology, expect } from "../../arguments/mod.ts";
import { simulate } from "../../engines/mod.ts";
import { GraphBuilder } from "../../graph/builder.ts";
import { buildProgram } from "../../program/mod.ts";
import type { AllToAll } from "../../alltoall/types.ts";
import type { Program } from "../../engine.ts";
import type { Topology } from "../../types.ts";

/** One all-to-all alone; every rank has `bytes` bytes, an equal part for each. */
export function evenProgram(topology: Topology, algorithm: AllToAll, bytes: number): Program {
  const sliceBytes = Math.ceil(bytes / topology.ranks);
  const g = new GraphBuilder(topology, "forward", 1);
  g.allToAll({
    ...{ label: "A", chunk: 0, stage: 0, after: [], algorithm, sliceBytes },
    input: g.buffer("input", sliceBytes * topology.ranks),
    output: g.buffer("output", sliceBytes * topology.ranks),
    scratch: "scratch",
  });
  const graph = g.build({ allToAll: algorithm.name });
  return buildProgram(graph, graph.tasks, "alone");
}

/** Simulated seconds of it. */
export function allToAllSeconds(topology: Topology, algorithm: AllToAll, bytes: number): number {
  expect("allToAllSeconds", "topology", topology, aTopology);
  expect("allToAllSeconds", "algorithm", algorithm, anAllToAll);
  expect("allToAllSeconds", "bytes", bytes, aCount);
  const { end } = simulate(evenProgram(topology, algorithm, bytes), topology);
  return end.reduce((a, b) => Math.max(a, b), 0) * 1e-9;
}
