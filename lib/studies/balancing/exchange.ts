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
  const [sent, received] = [new Float64Array(ranks), new Float64Array(ranks)];
  let largest = 1;
  for (let rank = 0; rank < ranks; rank++) {
    for (let peer = 0; peer < ranks; peer++) {
      const bytes = traffic.bytes(rank, peer);
      sent[rank] += bytes;
      received[peer] += bytes;
      largest = Math.max(largest, bytes);
    }
  }
  const most = Math.max(
    1,
    sent.reduce((a, b) => Math.max(a, b)),
    received.reduce((a, b) => Math.max(a, b)),
  );
  const input = rowsOf(ranks, traffic.bytes);
  const output = rowsOf(ranks, (rank, peer) => traffic.bytes(peer, rank));
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
      input: (rank, to) => ({ buffer: "input", offset: input(rank)[to] }),
      output: (rank, from) => ({ buffer: "output", offset: output(rank)[from] }),
    },
  });
  return g.build({ allToAll: algorithm.name });
}

/** Rows that are kept, of the ranks that were asked last. */
const KEPT_ROWS = 256;

/** Where the slices of a rank begin that lie one after another. */
function rowsOf(ranks: number, bytes: (rank: number, peer: number) => number) {
  const kept = new Map<number, Float64Array>();
  return (rank: number): Float64Array => {
    let row = kept.get(rank);
    if (row) return row;
    row = new Float64Array(ranks);
    for (let peer = 1; peer < ranks; peer++) row[peer] = row[peer - 1] + bytes(rank, peer - 1);
    if (kept.size === KEPT_ROWS) kept.delete(kept.keys().next().value!);
    kept.set(rank, row);
    return row;
  };
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
