/** What ranks move in a phase, counted message by message. @module */
import type { LinkTraffic, RankTraffic, Topology, TrafficPattern } from "../../types.ts";
import { PairCollector, peersByNode, type Places } from "./pairs.ts";

/** Of one kind of link: sends, bytes sent, receives, bytes received, rank after rank. */
const FIELDS = 4;

/** Counts of a phase: a few numbers a rank, and pairs of nodes. */
export class PhaseCount {
  readonly #copied: Float64Array;
  readonly #spine: Float64Array | undefined;
  readonly #links: { intra?: Float64Array; inter?: Float64Array } = {};
  readonly #between: PairCollector;
  /** Pairs inside nodes, [ranks, ranksPerNode]. */
  #inside: Uint8Array | undefined;

  constructor(
    readonly topology: Topology,
    readonly places: Places,
    readonly crosses?: (from: number, to: number) => boolean,
    order: { readonly repeated?: boolean } = {},
  ) {
    this.#copied = new Float64Array(topology.ranks);
    this.#spine = crosses && new Float64Array(topology.ranks);
    this.#between = new PairCollector(topology.ranksPerNode, places, order);
  }

  copy(rank: number, bytes: number): void {
    this.#copied[rank] += bytes;
  }

  /** One message; those between two nodes come one after another, unless pairs of nodes are `repeated`. */
  message(from: number, to: number, bytes: number): void {
    const { ranks, ranksPerNode: m } = this.topology;
    const [node, other] = [Math.floor(from / m), Math.floor(to / m)];
    const inside = node === other;
    const link = this.#links[inside ? "intra" : "inter"] ??= new Float64Array(FIELDS * ranks);
    link[FIELDS * from]++;
    link[FIELDS * from + 1] += bytes;
    link[FIELDS * to + 2]++;
    link[FIELDS * to + 3] += bytes;
    if (inside) (this.#inside ??= new Uint8Array(ranks * m))[from * m + to - other * m] = 1;
    else {
      this.#between.add(from, to);
      if (this.#spine && this.crosses!(from, to)) this.#spine[from] += bytes;
    }
  }

  /** Messages to a rank. */
  received(rank: number): number {
    const { intra, inter } = this.#links;
    return (intra?.[FIELDS * rank + 2] ?? 0) + (inter?.[FIELDS * rank + 2] ?? 0);
  }

  /** Everything counted, as the cost model and the simulator see it. */
  pattern(): Required<TrafficPattern> {
    const { topology: { nodes, ranksPerNode: m, ranks } } = this;
    for (let from = 0; this.#inside && from < ranks; from++) {
      const first = Math.floor(from / m) * m;
      for (let i = 0; i < m; i++) {
        if (this.#inside[from * m + i]) this.#between.add(from, first + i);
      }
    }
    const pairs = this.#between.pairs();
    let peers: ((rank: number) => Int32Array) | undefined;
    return {
      of: (rank) => this.#of(rank),
      peers: (rank) => (peers ??= peersByNode(pairs, nodes))(rank),
      nodePairs: pairs,
    };
  }

  #of(rank: number): RankTraffic {
    const of = (link: Float64Array | undefined): LinkTraffic => {
      const [sends, sent, receives, received] = link
        ? link.subarray(FIELDS * rank, FIELDS * (rank + 1))
        : [0, 0, 0, 0];
      return { sends, sent, receives, received };
    };
    const { intra, inter } = this.#links;
    const traffic = { copied: this.#copied[rank], intra: of(intra), inter: of(inter) };
    return this.#spine ? { ...traffic, spine: this.#spine[rank] } : traffic;
  }
}
