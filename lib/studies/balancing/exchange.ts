/** Programs of one all-to-all of unequal sizes and nothing else. @module */
import { GraphBuilder } from "../../graph/builder.ts";
import { buildProgram } from "../../program/mod.ts";
import type { AllToAll, TrafficMatrix } from "../../alltoall/types.ts";
import type { Program } from "../../engine.ts";
import type { TaskGraph, Topology } from "../../types.ts";

/** The graph of an exchange in which every rank has `traffic.bytes` bytes for each other one and itself. */
export function unevenExchange(
  topology: Topology,
  algorithm: AllToAll,
  traffic: TrafficMatrix,
): TaskGraph {
  const { ranks } = topology;
  const [input, output] = [new Float64Array(ranks * ranks), new Float64Array(ranks * ranks)];
  let [largest, most] = [1, 1];
  for (let rank = 0; rank < ranks; rank++) {
    let [sent, received] = [0, 0];
    for (let peer = 0; peer < ranks; peer++) {
      input[rank * ranks + peer] = sent;
      output[rank * ranks + peer] = received;
      sent += traffic.bytes(rank, peer);
      received += traffic.bytes(peer, rank);
      largest = Math.max(largest, traffic.bytes(rank, peer));
    }
    most = Math.max(most, sent, received);
  }
  const g = new GraphBuilder(topology, "forward", 1);
  g.allToAll({
    label: "A",
    chunk: 0,
    stage: 0,
    after: [],
    algorithm,
    sliceBytes: largest,
    input: g.buffer("input", most),
    output: g.buffer("output", most),
    scratch: "scratch",
    ragged: {
      bytes: (source, destination) => traffic.bytes(source, destination),
      input: (rank, to) => ({ buffer: "input", offset: input[rank * ranks + to] }),
      output: (rank, from) => ({ buffer: "output", offset: output[rank * ranks + from] }),
    },
  });
  return g.build({ allToAll: algorithm.name });
}

/** The same as a Program, phases in the order of the plan. */
export function unevenProgram(
  topology: Topology,
  algorithm: AllToAll,
  traffic: TrafficMatrix,
): Program {
  const graph = unevenExchange(topology, algorithm, traffic);
  return buildProgram(graph, graph.tasks, algorithm.name);
}
