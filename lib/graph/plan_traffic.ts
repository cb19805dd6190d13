/** Who moves how much in the phases of an all-to-all, counted from its plans. @module */
import { crossing } from "../costs/mod.ts";
import type { AllToAll, Phase } from "../alltoall/types.ts";
import {
  type LinkTraffic,
  type RankTraffic,
  SchemoeError,
  type Topology,
  type TrafficPattern,
} from "../types.ts";

/** Peers that are kept of ranks asked before, at most. */
const KEPT_PEERS = 1 << 22;

/** Plan of each rank. */
type Plan = (rank: number) => readonly Phase[];

/** What is counted of a plan. */
export interface Counted {
  readonly plan: Plan;
  /** Whether each slice of a step is a message of its own; else a step is one message. */
  readonly apart?: boolean;
}

type Known = WeakMap<AllToAll, WeakMap<Topology, readonly TrafficPattern[]>>;
const known: { readonly apart: Known; readonly together: Known } = {
  apart: new WeakMap(),
  together: new WeakMap(),
};

/**
 * Patterns of all phases of an algorithm on a topology, made once for both and filled rank by rank as
 * they are asked: a rank's plan is counted and then forgotten.
 */
export function planTraffic(
  algorithm: AllToAll,
  topology: Topology,
  { plan, apart = false }: Counted,
): readonly TrafficPattern[] {
  const kept = known[apart ? "apart" : "together"];
  let worlds = kept.get(algorithm);
  if (!worlds) kept.set(algorithm, worlds = new WeakMap());
  let patterns = worlds.get(topology);
  if (!patterns) {
    const counter = new PlanCounter(algorithm, topology, { plan, apart });
    patterns = Array.from({ length: plan(0).length }, (_, phase) => counter.pattern(phase));
    worlds.set(topology, patterns);
  }
  return patterns;
}

class PlanCounter {
  /** Distinct counts, and for each phase and rank which of them (-1: not counted yet). */
  readonly #rows: RankTraffic[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #row: Int32Array[] = [];
  /** Peers in all phases of the rank that was asked last, and of some before it. */
  #last: { readonly rank: number; readonly peers: readonly Int32Array[] } | undefined;
  readonly #kept = new Map<number, readonly Int32Array[]>();
  #keptPeers = 0;
  /** Rank and phase that named each peer last, to count it once. */
  readonly #seen: Float64Array;
  #stamp = 0;

  constructor(
    readonly algorithm: AllToAll,
    readonly topology: Topology,
    readonly of: Counted,
  ) {
    this.#seen = new Float64Array(topology.ranks);
  }

  pattern(phase: number): TrafficPattern {
    const row = this.#row[phase] = new Int32Array(this.topology.ranks).fill(-1);
    return {
      of: (rank) => {
        if (row[rank] < 0) this.#count(rank);
        return this.#rows[row[rank]];
      },
      peers: (rank) => {
        const kept = this.#kept.get(rank);
        if (kept) return kept[phase];
        if (this.#last?.rank !== rank) this.#count(rank);
        return this.#last!.peers[phase];
      },
    };
  }

  #count(rank: number): void {
    const phases = this.of.plan(rank);
    const peers = phases.map((phase, index) => this.#countPhase(rank, phase, index));
    this.#last = { rank, peers };
    const size = peers.reduce((sum, { length }) => sum + length, 0);
    if (this.#keptPeers + size > KEPT_PEERS) return;
    this.#keptPeers += size;
    this.#kept.set(rank, peers);
  }

  #countPhase(rank: number, { steps }: Phase, phase: number): Int32Array {
    const { ranks, ranksPerNode } = this.topology;
    const node = Math.floor(rank / ranksPerNode);
    const counts = { copied: 0, intra: noTraffic(), inter: noTraffic() };
    const crosses = crossing(this.topology);
    let spine = 0;
    const peers: number[] = [];
    let rising = true;
    this.#stamp++;
    for (const step of steps) {
      if (step.kind === "copy") {
        counts.copied += step.from.count ?? 1;
        continue;
      }
      const { peer } = step;
      if (!(Number.isInteger(peer) && peer >= 0 && peer < ranks && peer !== rank)) {
        const problem = `rank ${rank} has no peer ${peer}`;
        throw new SchemoeError(`Cannot plan the all-to-all "${this.algorithm.name}": ${problem}`, {
          rank,
        });
      }
      const link = Math.floor(peer / ranksPerNode) === node ? counts.intra : counts.inter;
      const slices = (step.kind === "send" ? step.from : step.to).count ?? 1;
      const messages = this.of.apart ? slices : 1;
      if (step.kind === "send") {
        link.sends += messages;
        link.sent += slices;
        if (crosses && link === counts.inter && crosses(rank, peer)) spine += slices;
      } else {
        link.receives += messages;
        link.received += slices;
      }
      if (this.#seen[peer] === this.#stamp) continue;
      this.#seen[peer] = this.#stamp;
      if (peers.length > 0 && peer < peers[peers.length - 1]) rising = false;
      peers.push(peer);
    }
    this.#row[phase][rank] = this.#number(crosses ? { ...counts, spine } : counts);
    const found = Int32Array.from(peers);
    return rising ? found : found.sort();
  }

  #number(counts: RankTraffic): number {
    const { copied, intra, inter, spine } = counts;
    const key = [copied, ...Object.values(intra), ...Object.values(inter), spine].join();
    let number = this.#numbers.get(key);
    if (number === undefined) this.#numbers.set(key, number = this.#rows.push(counts) - 1);
    return number;
  }
}

const noTraffic = (): { -readonly [K in keyof LinkTraffic]: number } => ({
  sends: 0,
  sent: 0,
  receives: 0,
  received: 0,
});
