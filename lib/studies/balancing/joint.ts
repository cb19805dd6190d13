/** Stages of an all-to-all scheduled jointly with the experts that wait for them. @module */
import { flowsOf } from "../../alltoall/planned/flows.ts";
import { heavyStages } from "../../alltoall/planned/stages.ts";
import { lowerBound, modelCosts } from "../../costs/mod.ts";
import { simulate } from "../../engines/mod.ts";
import { GraphBuilder } from "../../graph/builder.ts";
import { buildProgram } from "../../program/mod.ts";
import { criticalPath, exactSchedule, sequential } from "../../schedulers/mod.ts";
import { SchemoeError, type TaskGraph, type Topology } from "../../types.ts";
import type { TrafficMatrix } from "../../alltoall/types.ts";

/** How the exchanges between nodes are cut: each part is a chunk, with the experts' work on what it brings. */
export type Decomposition = "at once" | "ring" | "matchings";

/** A forward pass as three stages a chunk: out, experts, back. */
export interface JointOptions {
  readonly topology: Topology;
  /** Bytes of rows from rank to rank towards the experts; the way back carries as many. */
  readonly traffic: TrafficMatrix;
  /** Operations of the experts for each byte that arrives. */
  readonly flopsPerByte: number;
}

/** One way to cut the exchange, in one order. */
export interface JointRow {
  readonly decomposition: Decomposition;
  readonly order: "one after another" | "joint" | "exact";
  readonly seconds: number;
  /** Seconds over the best that is known of any row. */
  readonly overBest: number;
  /** Seconds over the lower bound of its own graph. */
  readonly overBound: number;
  /** Whether no order of this graph is shorter; known of `exact` alone. */
  readonly proven: boolean;
}

/** Seconds that an exact search may take. */
const TIME_LIMIT = 2;

/**
 * The graph of a pass whose chunks are stages of the exchange between nodes. Chunk 0 is what stays inside the
 * nodes; in the others each node sends to one node and receives from one (`ring`: to the k-th after it,
 * `matchings`: heaviest first), or all of them to all (`at once`). An expert works on what a stage brought
 * while the next one is under way, so the order of the stages is a decision about computation.
 *
 * @throws {SchemoeError} for a matrix of another world.
 */
export function jointGraph(
  { topology, traffic, flopsPerByte }: JointOptions,
  decomposition: Decomposition,
): TaskGraph {
  const { nodes, ranks, ranksPerNode } = topology;
  if (traffic.ranks !== ranks) {
    throw new SchemoeError(
      `Cannot make the graph: the traffic is of ${traffic.ranks} ranks, the world has ${ranks}`,
    );
  }
  const node = (rank: number) => Math.floor(rank / ranksPerNode);
  const stageOf = stagesOf(topology, traffic, decomposition);
  const stages = 1 + stageOf.reduce((most, stage) => Math.max(most, stage), 0);
  const bytes = (stage: number, from: number, to: number) =>
    stageOf[node(from) * nodes + node(to)] === stage ? traffic.bytes(from, to) : 0;
  const g = new GraphBuilder(topology, "forward", stages);
  for (let stage = 0; stage < stages; stage++) {
    const received = Float64Array.from({ length: ranks }, (_, rank) => {
      let sum = 0;
      for (let from = 0; from < ranks; from++) sum += bytes(stage, from, rank);
      return sum;
    });
    const lane = stage === 0 ? "intra" : "inter";
    const exchange = (label: string, place: number, back: boolean) => ({
      ...{ kind: "allToAll" as const, label, chunk: stage, stage: place, lane } as const,
      transfers: (rank: number) =>
        transfersOf(ranks, rank, (from, to) => bytes(stage, from, to), back),
    });
    const out = g.add({ ...exchange("A1", 0, false), after: [] });
    const expert = g.add({
      kind: "expert",
      label: "E",
      chunk: stage,
      stage: 1,
      after: [out],
      flops: flopsPerByte * received.reduce((a, b) => Math.max(a, b), 0),
      rankFlops: (rank) => flopsPerByte * received[rank],
    });
    g.add({ ...exchange("A2", 2, true), after: [expert] });
  }
  return g.build({ decomposition });
}

/** Stage of each pair of nodes, by `from * nodes + to`; 0 inside a node. */
function stagesOf(topology: Topology, traffic: TrafficMatrix, decomposition: Decomposition) {
  const { nodes } = topology;
  const stageOf = new Int32Array(nodes * nodes);
  if (decomposition === "matchings") {
    const { between } = flowsOf(topology, traffic);
    heavyStages(between, nodes, nodes).forEach(({ to }, stage) =>
      to.forEach((column, row) => {
        if (column >= 0) stageOf[row * nodes + column] = 1 + stage;
      })
    );
    return stageOf;
  }
  for (let from = 0; from < nodes; from++) {
    for (let to = 0; to < nodes; to++) {
      if (from === to) continue;
      stageOf[from * nodes + to] = decomposition === "ring" ? (to - from + nodes) % nodes : 1;
    }
  }
  return stageOf;
}

function transfersOf(
  ranks: number,
  rank: number,
  bytes: (from: number, to: number) => number,
  back: boolean,
) {
  const found = [];
  for (let peer = 0; peer < ranks; peer++) {
    const [sent, received] = [bytes(rank, peer), bytes(peer, rank)];
    const [out, into] = back ? [received, sent] : [sent, received];
    if (peer === rank) {
      if (sent) found.push({ kind: "copy" as const, peer, bytes: sent });
      continue;
    }
    if (out) found.push({ kind: "send" as const, peer, bytes: out });
    if (into) found.push({ kind: "receive" as const, peer, bytes: into });
  }
  return found;
}

/**
 * All decompositions, each with its tasks one after another, jointly by critical path, and in the best order
 * that `exact` finds: how far each is from the best. On 24 random worlds of 3 or 4 nodes x 1 or 2 ranks with the
 * links of `h200-ib400`, exact proven on all, matchings in joint order were 2.9 % from the best on average and
 * 10 % at worst, a ring 2.9 and 14 %, everything at once 26 and 64 %.
 *
 * ```ts
 * import { topology } from "@schemoe/lab";
 * import { compareJoint } from "@schemoe/lab/studies";
 * const world = topology({ nodes: 3, ranksPerNode: 1 });
 * const traffic = { ranks: 3, bytes: (from: number, to: number) => 1000 * (1 + ((from + 2 * to) % 3)) };
 * const rows = compareJoint({ topology: world, traffic, flopsPerByte: 200 });
 * console.assert(rows.length === 9 && rows.some(({ overBest }) => overBest === 1));
 * ```
 * @throws {SchemoeError} for a matrix of another world.
 */
export function compareJoint(options: JointOptions): JointRow[] {
  const rows = (["at once", "ring", "matchings"] as const).flatMap((decomposition) => {
    const graph = jointGraph(options, decomposition);
    const costs = modelCosts(options.topology);
    const bound = lowerBound(graph, costs).seconds;
    const exact = exactSchedule(graph, costs, { timeLimit: TIME_LIMIT });
    const timed = (schedule: Parameters<typeof buildProgram>[1]) => {
      const { end } = simulate(buildProgram(graph, schedule, "joint"), options.topology);
      return end.reduce((a, b) => Math.max(a, b), 0) * 1e-9;
    };
    return [
      ["one after another", timed(sequential.order(graph, costs)), false] as const,
      ["joint", timed(criticalPath.order(graph, costs)), false] as const,
      ["exact", timed(exact.order), exact.proven] as const,
    ].map(([order, seconds, proven]) => ({
      decomposition,
      order,
      seconds,
      proven,
      overBound: seconds / bound,
    }));
  });
  const best = rows.reduce((least, { seconds }) => Math.min(least, seconds), Infinity);
  return rows.map((row) => ({ ...row, overBest: row.seconds / best }));
}
