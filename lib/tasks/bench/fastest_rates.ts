/** The fastest that an engine's ranks, nodes and all of them were seen to exchange: what no exchange should beat. @module */
import { allToAllBound, linear } from "../../alltoall/mod.ts";
import type { TrafficMatrix } from "../../alltoall/types.ts";
import type { Engine } from "../../engine.ts";
import { relativeSpread } from "../../profile/mod.ts";
import { unevenProgram } from "../../studies/balancing/exchange.ts";
import { topology } from "../../topology.ts";
import type { Topology } from "../../types.ts";
import { timesOfOne } from "./exchange.ts";
import { hundredths, median, type Row } from "./report.ts";

/** Bytes a second, each the most in any pattern; 0 where nothing can go that way. */
export interface Rates {
  /** Between nodes: out of or into one rank, out of or into one node, and all together. */
  readonly inter: { readonly rank: number; readonly node: number; readonly all: number };
  /** Inside nodes: out of or into one rank, and all together. */
  readonly intra: { readonly rank: number; readonly all: number };
  /** How far repeated measures lie from their median, as a part of it; of the pattern where it is most. */
  readonly spread: number;
}

/** Which ranks send to which, and how much each. */
interface Pattern {
  readonly sends: (from: number, to: number) => boolean;
  readonly bytes: readonly number[];
}

const MIB = 1 << 20;

/**
 * Measures patterns of different shapes: all at once, each direction alone, one partner, one rank with all others, and
 * one rank that all others send to. Whole times are counted, start-up too, of large messages and several sizes of
 * them; the largest rate counts, each a median of runs. Nodes of emulated clusters share a loopback and ranks a GPU,
 * so that rates of all together are counted beside those of each.
 *
 * @param options.large bytes of a message inside a node that fast links need; default 32 MiB.
 */
export async function fastestRates(
  engine: Engine,
  { large = 0 }: { readonly large?: number } = {},
): Promise<Rates> {
  const { ranks, ranksPerNode: m } = engine.topology;
  const node = (rank: number) => Math.floor(rank / m);
  let best: Rates = NONE;
  for (const { sends, bytes } of patternsOf(engine.topology, large)) {
    for (const size of bytes) {
      const traffic: TrafficMatrix = { ranks, bytes: (a, b) => sends(a, b) ? size : 0 };
      const times = await timesOfOne(engine, unevenProgram(engine.topology, linear, traffic));
      const of = (apart: boolean) =>
        volumes(
          engine.topology,
          (a, b) => (node(a) !== node(b)) === apart ? traffic.bytes(a, b) : 0,
        );
      const seconds = median(times);
      const [inter, intra] = [of(true), of(false)];
      best = fasterOf(best, {
        inter: {
          rank: inter.rank / seconds,
          node: inter.node / seconds,
          all: inter.all / seconds,
        },
        intra: { rank: intra.rank / seconds, all: intra.all / seconds },
        spread: relativeSpread(times),
      });
    }
  }
  return best;
}

const NONE: Rates = {
  inter: { rank: 0, node: 0, all: 0 },
  intra: { rank: 0, all: 0 },
  spread: 0,
};

/** The faster of two, rate by rate; the larger spread. */
export const fasterOf = (a: Rates, b: Rates): Rates => ({
  inter: {
    rank: Math.max(a.inter.rank, b.inter.rank),
    node: Math.max(a.inter.node, b.inter.node),
    all: Math.max(a.inter.all, b.inter.all),
  },
  intra: {
    rank: Math.max(a.intra.rank, b.intra.rank),
    all: Math.max(a.intra.all, b.intra.all),
  },
  spread: Math.max(a.spread, b.spread),
});

function patternsOf({ nodes, ranksPerNode: m }: Topology, large: number): Pattern[] {
  const node = (rank: number) => Math.floor(rank / m);
  const inside = (a: number, b: number) => a !== b && node(a) === node(b);
  const apart = (a: number, b: number) => node(a) !== node(b);
  const patterns: Pattern[] = [];
  if (m > 1) {
    patterns.push(
      { sends: inside, bytes: [2 * MIB, 32 * MIB, ...(large > 32 * MIB ? [large] : [])] },
      { sends: (a, b) => inside(a, b) && a + b === 1, bytes: [Math.max(large, 16 * MIB)] },
      { sends: (a, b) => inside(a, b) && a % m === 0, bytes: [8 * MIB] },
      { sends: (a, b) => inside(a, b) && b % m === 0, bytes: [8 * MIB] },
    );
  }
  if (nodes === 1) return patterns;
  return [
    ...patterns,
    { sends: apart, bytes: [MIB, 4 * MIB, 16 * MIB] },
    { sends: (a, b) => apart(a, b) && node(a) === 0, bytes: [2 * MIB, 8 * MIB] },
    { sends: (a, b) => apart(a, b) && node(b) === 0, bytes: [2 * MIB, 8 * MIB] },
    { sends: (a, b) => apart(a, b) && a % m === b % m, bytes: [4 * MIB, 16 * MIB] },
    { sends: (a, b) => apart(a, b) && Math.min(a, b) === 0, bytes: [4 * MIB, 16 * MIB] },
    { sends: (a, b) => apart(a, b) && b === 0, bytes: [4 * MIB, 16 * MIB] },
    { sends: (a, b) => apart(a, b) && a === 0, bytes: [4 * MIB, 16 * MIB] },
    { sends: (a, b) => a + b === m && a * b === 0, bytes: [16 * MIB] },
  ];
}

/** The most bytes out of or into a rank and a node, and of all. */
function volumes({ ranks, nodes, ranksPerNode }: Topology, bytes: TrafficMatrix["bytes"]) {
  const ofRank = [new Float64Array(ranks), new Float64Array(ranks)];
  const ofNode = [new Float64Array(nodes), new Float64Array(nodes)];
  let all = 0;
  for (let from = 0; from < ranks; from++) {
    for (let to = 0; to < ranks; to++) {
      const sum = from === to ? 0 : bytes(from, to);
      all += sum;
      [from, to].forEach((rank, side) => {
        ofRank[side][rank] += sum;
        ofNode[side][Math.floor(rank / ranksPerNode)] += sum;
      });
    }
  }
  const most = (sides: Float64Array[]) => Math.max(...sides.map((side) => Math.max(...side)));
  return { rank: most(ofRank), node: most(ofNode), all };
}

/**
 * Seconds below which no exchange can come whose ranks, nodes and whole are no faster than those rates: the bounds of
 * {@linkcode allToAllBound} in a world of such links without start-up times, and all bytes over the rate of all.
 */
export function boundOfRates(
  world: Topology,
  { inter, intra }: Rates,
): (traffic: TrafficMatrix) => number {
  const { nodes, ranksPerNode } = world;
  const link = (rate: number) => ({ alpha: 0, beta: rate > 0 ? 1 / rate : 0 });
  const fastest = topology({
    ...{ nodes, ranksPerNode },
    intra: link(intra.rank),
    // a rank is at least as fast as its part of the node
    inter: link(Math.max(inter.rank, inter.node / ranksPerNode)),
    ...(nodes > 1 ? { nic: { beta: 1 / inter.node } } : {}),
  });
  const node = (rank: number) => Math.floor(rank / ranksPerNode);
  const ofAll = (traffic: TrafficMatrix, apart: boolean, rate: number) =>
    rate > 0
      ? volumes(world, (a, b) => (node(a) !== node(b)) === apart ? traffic.bytes(a, b) : 0).all /
        rate
      : 0;
  return (traffic) =>
    Math.max(
      allToAllBound(fastest, traffic),
      ofAll(traffic, true, inter.all),
      // copies inside nodes can be spared or made otherwise, but what is for a rank of the node must get there
      ofAll(traffic, false, intra.all),
    );
}

/** Rates as a report tells them. */
export function ratesText({ inter, intra, spread }: Rates): Row {
  const text = (rates: Readonly<Record<string, number>>) =>
    Object.entries(rates).map(([of, rate]) => `${of} ${hundredths(rate / 1e9)}`).join(", ") +
    " GB/s";
  return {
    fastestIntra: text(intra),
    ...(inter.all > 0 ? { fastestInter: text(inter) } : {}),
    spread: hundredths(spread),
  };
}
