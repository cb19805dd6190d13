/** The graph of a pass whose chunks are stages of the exchange between nodes. @module */
import {
  atLeastZero,
  aTopology,
  either,
  expect,
  listOf,
  oneOf,
  options,
  someTraffic,
} from "../../arguments/mod.ts";
import { GraphBuilder } from "../../graph/builder.ts";
import {
  SchemoeError,
  type TaskGraph,
  type Topology,
  type Transfer,
  type View,
} from "../../types.ts";
import type { TrafficMatrix } from "../../alltoall/types.ts";
import { cutOf, type Decomposition, DECOMPOSITIONS } from "./decomposition.ts";

/** What they must be. */
export const JOINT_OPTIONS = options({
  topology: aTopology,
  traffic: either(someTraffic, listOf(someTraffic, "traffics of waves")),
  flopsPerByte: atLeastZero,
});
const JOINT_GRAPH_DECOMPOSITION = oneOf(DECOMPOSITIONS);

/** A forward pass as three stages a chunk: out, experts, back. */
export interface JointOptions {
  /** World that it is simulated on. */
  readonly topology: Topology;
  /**
   * Bytes of rows from rank to rank towards the experts; the way back carries as many. Several matrices are waves:
   * the rows for some of each rank's experts, then for others (see `wavesOfLoads`), each decomposed by itself.
   */
  readonly traffic: TrafficMatrix | readonly TrafficMatrix[];
  /** Operations of the experts for each byte that arrives. */
  readonly flopsPerByte: number;
}

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
export function jointGraph(options: JointOptions, decomposition: Decomposition): TaskGraph {
  expect("jointGraph", "options", options, JOINT_OPTIONS);
  expect("jointGraph", "decomposition", decomposition, JOINT_GRAPH_DECOMPOSITION);
  const { topology, traffic, flopsPerByte } = options;
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
