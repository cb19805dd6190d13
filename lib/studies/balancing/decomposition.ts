/** Ways to cut an exchange between nodes into stages, and which part of each pair's bytes a stage moves. @module */
import { flowsOf } from "../../alltoall/planned/flows.ts";
import { birkhoff, heavyStages } from "../../alltoall/planned/stages.ts";
import type { TrafficMatrix } from "../../alltoall/types.ts";
import type { Topology } from "../../types.ts";

/** How the exchanges between nodes are cut: each part is a chunk, with the experts' work on what it brings. */
export type Decomposition = "at once" | "ring" | "matchings" | "birkhoff";

/** All of them. */
export const DECOMPOSITIONS = [
  ...["at once", "ring", "matchings", "birkhoff"] as const,
] satisfies readonly Decomposition[];

/** Stages, and which part of a pair of ranks each moves, as shares of its bytes from 0 to 1. */
export interface Cut {
  readonly stages: number;
  span(stage: number, from: number, to: number): readonly [number, number];
}

/** The stages of a decomposition of the traffic; in the first one everything stays inside its node. */
export function cutOf(
  topology: Topology,
  traffic: TrafficMatrix,
  decomposition: Decomposition,
): Cut {
  const { nodes, ranksPerNode } = topology;
  const node = (rank: number) => Math.floor(rank / ranksPerNode);
  const found: (readonly (readonly [number, number, number])[] | undefined)[] = [];
  let last = 0;
  const put = (from: number, to: number, spans: readonly (readonly [number, number, number])[]) => {
    found[from * nodes + to] = spans;
    for (const [stage] of spans) last = Math.max(last, stage);
  };
  const between = () => flowsOf(topology, traffic).between;
  if (decomposition === "matchings") {
    heavyStages(between(), nodes, nodes).forEach(({ to }, stage) =>
      to.forEach((column, row) => {
        if (column >= 0) put(row, column, [[1 + stage, 0, 1]]);
      })
    );
  } else if (decomposition === "birkhoff") {
    for (const [pair, spans] of birkhoffSpans(between(), nodes)) {
      put(Math.floor(pair / nodes), pair % nodes, spans);
    }
  } else {
    for (let from = 0; from < nodes; from++) {
      for (let to = 0; to < nodes; to++) {
        const stage = decomposition === "ring" ? (to - from + nodes) % nodes : 1;
        if (from !== to) put(from, to, [[stage, 0, 1]]);
      }
    }
  }
  return {
    stages: 1 + last,
    span(stage, from, to) {
      if (node(from) === node(to)) return stage === 0 ? [0, 1] : [0, 0];
      const [, begin, end] = found[node(from) * nodes + node(to)]?.find(([s]) => s === stage) ??
        [0, 0, 0];
      return [begin, end];
    },
  };
}

/** Stages of each pair of nodes with the shares of its bytes, by `from * nodes + to`. */
function birkhoffSpans(between: Float64Array, nodes: number) {
  const { stages, rest } = birkhoff(between, nodes, 2 * nodes);
  const spans = new Map<number, [number, number, number][]>();
  const moved = new Float64Array(nodes * nodes);
  const add = (pair: number, stage: number, bytes: number) => {
    const begin = moved[pair] / between[pair];
    moved[pair] += bytes;
    // what is left by rounding goes with the last part
    const end = moved[pair] >= between[pair] * (1 - 1e-9) ? 1 : moved[pair] / between[pair];
    const list = spans.get(pair);
    if (list) list.push([stage, begin, end]);
    else spans.set(pair, [[stage, begin, end]]);
  };
  stages.forEach(({ to, bytes }, stage) =>
    to.forEach((column, row) => {
      if (column >= 0) add(row * nodes + column, 1 + stage, bytes[row]);
    })
  );
  rest.forEach((bytes, pair) => bytes > 0 && add(pair, 1 + stages.length, bytes));
  return spans;
}
