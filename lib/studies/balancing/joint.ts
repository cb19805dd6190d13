/** Stages of an all-to-all scheduled jointly with the experts that wait for them. @module */
import { flowsOf } from "../../alltoall/planned/flows.ts";
import { birkhoff, heavyStages } from "../../alltoall/planned/stages.ts";
import { lowerBound, modelCosts } from "../../costs/mod.ts";
import { simulate } from "../../engines/mod.ts";
import { GraphBuilder } from "../../graph/builder.ts";
import { buildProgram } from "../../program/mod.ts";
import { criticalPath, exactSchedule, sequential } from "../../schedulers/mod.ts";
import {
  SchemoeError,
  type TaskGraph,
  type Topology,
  type Transfer,
  type View,
} from "../../types.ts";
import type { TrafficMatrix } from "../../alltoall/types.ts";

/** How the exchanges between nodes are cut: each part is a chunk, with the experts' work on what it brings. */
export type Decomposition = "at once" | "ring" | "matchings" | "birkhoff";

/** A forward pass as three stages a chunk: out, experts, back. */
export interface JointOptions {
  readonly topology: Topology;
  /**
   * Bytes of rows from rank to rank towards the experts; the way back carries as many. Several matrices are waves:
   * the rows for some of each rank's experts, then for others (see `wavesOfLoads`), each decomposed by itself.
   */
  readonly traffic: TrafficMatrix | readonly TrafficMatrix[];
  /** Operations of the experts for each byte that arrives. */
  readonly flopsPerByte: number;
}

/** One way to cut the exchange, in one order. */
export interface JointRow {
  readonly decomposition: Decomposition;
  /** Chunks by experts; each is cut further by the decomposition. */
  readonly waves: number;
  readonly order: "one after another" | "joint" | "exact";
  readonly seconds: number;
  /** Seconds over the best that is known of any row. */
  readonly overBest: number;
  /** Seconds over the lower bound of its own graph. */
  readonly overBound: number;
  /** Whether no order of this graph is shorter; known of `exact` alone. */
  readonly proven: boolean;
}

/** All of them. */
export const DECOMPOSITIONS = [
  ...["at once", "ring", "matchings", "birkhoff"] as const,
] satisfies readonly Decomposition[];

/** Seconds that an exact search may take. */
const TIME_LIMIT = 2;

/**
 * The graph of a pass whose chunks are stages of the exchange between nodes. The first one of each wave is what stays
 * inside the nodes; in the others each node sends to one node and receives from one (`ring`: to the k-th after it,
 * `matchings`: heaviest first, whole pairs, `birkhoff`: as FAST does, parts of pairs), or all of them to all (`at
 * once`). An expert works on what a stage brought while the next one is under way, so the order of the stages is a
 * decision about computation.
 *
 * Its buffers are `input`, `arrived` and `returned`, on which engines that compute move the bytes; the experts' work
 * takes its time alone.
 *
 * @throws {SchemoeError} for a matrix of another world.
 */
export function jointGraph(
  { topology, traffic, flopsPerByte }: JointOptions,
  decomposition: Decomposition,
): TaskGraph {
  const { ranks } = topology;
  const waves = "bytes" in traffic ? [traffic] : traffic;
  const odd = waves.find((wave) => wave.ranks !== ranks);
  if (odd || waves.length === 0) {
    throw new SchemoeError(
      `Cannot make the graph: the traffic is of ${
        odd?.ranks ?? "no"
      } ranks, the world has ${ranks}`,
    );
  }
  const cuts = waves.map((wave) => cutOf(topology, wave, decomposition));
  const chunks = cuts.reduce((sum, { stages }) => sum + stages, 0);
  const g = new GraphBuilder(topology, "forward", chunks);
  const room = new Room(ranks, waves);
  const input = g.buffer("input", room.most((rank) => room.sent(rank)));
  const arrived = g.buffer("arrived", room.most((rank) => room.received(rank)));
  const returned = g.buffer("returned", room.most((rank) => room.sent(rank)));
  let chunk = 0;
  for (const [wave, { stages, span }] of cuts.entries()) {
    for (let stage = 0; stage < stages; stage++, chunk++) {
      /** Where the bytes of a pair in this stage begin among those of the wave, and how many they are. */
      const part = (from: number, to: number) => {
        const all = waves[wave].bytes(from, to);
        const [begin, end] = span(stage, from, to).map((share) => Math.floor(all * share));
        return { begin, bytes: end - begin };
      };
      const received = Float64Array.from({ length: ranks }, (_, rank) => {
        let sum = 0;
        for (let from = 0; from < ranks; from++) sum += part(from, rank).bytes;
        return sum;
      });
      const lane = stage === 0 ? "intra" as const : "inter" as const;
      const at = (buffer: View, offset: number): View => ({ ...buffer, offset });
      const sentAt = (buffer: View, from: number, to: number) =>
        at(buffer, room.out(wave, from, to) + part(from, to).begin);
      const arrivedAt = (from: number, to: number) =>
        at(arrived, room.in(wave, from, to) + part(from, to).begin);
      const out = g.add({
        ...{ kind: "allToAll", label: "A1", chunk, stage: 0, lane, after: [] },
        uses: [input, arrived],
        transfers: (rank) =>
          transfersOf(ranks, rank, {
            bytes: (from, to) => part(from, to).bytes,
            from: (peer) => sentAt(input, rank, peer),
            to: (peer) => arrivedAt(peer, rank),
          }),
      });
      const expert = g.add({
        ...{ kind: "expert", label: "E", chunk, stage: 1, after: [out] },
        flops: flopsPerByte * received.reduce((a, b) => Math.max(a, b), 0),
        rankFlops: (rank) => flopsPerByte * received[rank],
      });
      g.add({
        ...{ kind: "allToAll", label: "A2", chunk, stage: 2, lane, after: [expert] },
        uses: [arrived, returned],
        transfers: (rank) =>
          transfersOf(ranks, rank, {
            bytes: (from, to) => part(to, from).bytes,
            from: (peer) => arrivedAt(peer, rank),
            to: (peer) => sentAt(returned, rank, peer),
          }),
      });
    }
  }
  return g.build({ decomposition, waves: waves.length });
}

/** Where the bytes of each pair and wave lie: wave after wave, peer after peer. */
class Room {
  readonly #out: Float64Array[];
  readonly #in: Float64Array[];

  constructor(readonly ranks: number, readonly waves: readonly TrafficMatrix[]) {
    const offsets = (bytes: (wave: TrafficMatrix, rank: number, peer: number) => number) =>
      Array.from({ length: ranks }, (_, rank) => {
        const begins = new Float64Array(waves.length * ranks + 1);
        for (const [i, wave] of waves.entries()) {
          for (let peer = 0; peer < ranks; peer++) {
            const at = i * ranks + peer;
            begins[at + 1] = begins[at] + bytes(wave, rank, peer);
          }
        }
        return begins;
      });
    this.#out = offsets((wave, rank, peer) => wave.bytes(rank, peer));
    this.#in = offsets((wave, rank, peer) => wave.bytes(peer, rank));
  }

  out(wave: number, from: number, to: number): number {
    return this.#out[from][wave * this.ranks + to];
  }

  in(wave: number, from: number, to: number): number {
    return this.#in[to][wave * this.ranks + from];
  }

  sent = (rank: number): number => this.#out[rank][this.waves.length * this.ranks];
  received = (rank: number): number => this.#in[rank][this.waves.length * this.ranks];

  most(bytes: (rank: number) => number): number {
    let most = 1;
    for (let rank = 0; rank < this.ranks; rank++) most = Math.max(most, bytes(rank));
    return most;
  }
}

/** Stages, and which part of a pair of ranks each moves, as shares of its bytes from 0 to 1. */
interface Cut {
  readonly stages: number;
  span(stage: number, from: number, to: number): readonly [number, number];
}

function cutOf(topology: Topology, traffic: TrafficMatrix, decomposition: Decomposition): Cut {
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

/** Transfers of a rank: what it sends to each peer, and what it gets. */
function transfersOf(
  ranks: number,
  rank: number,
  { bytes, from, to }: {
    bytes: (from: number, to: number) => number;
    from: (peer: number) => View;
    to: (peer: number) => View;
  },
): Transfer[] {
  const found: Transfer[] = [];
  for (let peer = 0; peer < ranks; peer++) {
    const [sent, received] = [bytes(rank, peer), bytes(peer, rank)];
    if (peer === rank) {
      if (sent) found.push({ kind: "copy", peer, bytes: sent, from: from(peer), to: to(peer) });
      continue;
    }
    if (sent) found.push({ kind: "send", peer, bytes: sent, from: from(peer) });
    if (received) found.push({ kind: "receive", peer, bytes: received, to: to(peer) });
  }
  return found;
}

/**
 * All decompositions, each with its tasks one after another, jointly by critical path, and in the best order
 * that `exact` finds: how far each is from the best. Where waves are given, each decomposition is made of all rows at
 * once too. On 16 worlds of 3 or 4 nodes x 1 or 2 ranks of `h200-ib400` under Zipf 0.4 to 1.2 (`deno task bench
 * joint`), matchings in joint order were 3 % from the best on average and 10 % at worst, no further than in their
 * own best order, everything at once 33 and 53 %; two waves of so few bytes cost more starts than they gain.
 *
 * ```ts
 * import { topology } from "@schemoe/lab";
 * import { compareJoint } from "@schemoe/lab/studies";
 * const world = topology({ nodes: 3, ranksPerNode: 1 });
 * const traffic = { ranks: 3, bytes: (from: number, to: number) => 1000 * (1 + ((from + 2 * to) % 3)) };
 * const rows = compareJoint({ topology: world, traffic, flopsPerByte: 200 });
 * console.assert(rows.length === 12 && rows.some(({ overBest }) => overBest === 1));
 * ```
 * @throws {SchemoeError} for a matrix of another world.
 */
export function compareJoint(options: JointOptions): JointRow[] {
  const { traffic } = options;
  const whole = "bytes" in traffic ? traffic : merged(traffic);
  const waves = "bytes" in traffic || traffic.length === 1 ? [whole] : [whole, traffic];
  const ways = waves.flatMap((traffic) =>
    DECOMPOSITIONS.map((decomposition) => ({ decomposition, traffic }))
  );
  const rows = ways.flatMap(({ decomposition, traffic }) => {
    const graph = jointGraph({ ...options, traffic }, decomposition);
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
      waves: "bytes" in traffic ? 1 : traffic.length,
      order,
      seconds,
      proven,
      overBound: seconds / bound,
    }));
  });
  const best = rows.reduce((least, { seconds }) => Math.min(least, seconds), Infinity);
  return rows.map((row) => ({ ...row, overBest: row.seconds / best }));
}

/** All waves together. */
const merged = (waves: readonly TrafficMatrix[]): TrafficMatrix => ({
  ranks: waves[0]?.ranks ?? 0,
  bytes: (from, to) => waves.reduce((sum, wave) => sum + wave.bytes(from, to), 0),
});
