/** Levels by which what all ranks need goes round a large world, instead of from each to all others. @module */
import { completeExchange } from "../costs/mod.ts";
import type { Lane, LinkTraffic, Topology, TrafficPattern } from "../types.ts";
import { crossing } from "../costs/spine.ts";

/** Ranks up to which all exchange few bytes directly: a further task would cost more than the messages that it saves. */
const DIRECT = 16;

/** Bytes from which sums in the nodes first are worth their tasks: less of them then goes between nodes. */
const MANY = 1 << 20;

/** Ranks of a level between nodes, where the number of nodes has such divisors. */
const WIDEST = 8;

/** Exchanges among ranks whose numbers differ in one digit. */
export interface Level {
  /** Ranks that exchange with each other. */
  readonly size: number;
  /** Distance of their numbers; ranks of the levels before it are the product of their sizes, which it is. */
  readonly stride: number;
  /** Links between them. */
  readonly lane: Lane;
}

/** The lane of transfers that go to all ranks alike. */
export const widestLane = (topology: Topology): Lane => topology.nodes > 1 ? "inter" : "intra";

/**
 * The levels of a world: the ranks of a node, then nodes in groups of at most eight, where their number has such
 * divisors. A rank then sends as many messages as the sizes add up to, less one each, where it would send one to
 * each other rank: 28 instead of 4,095 on 512 nodes of 8; and of a sum each sends a share of its node's between nodes.
 * Worlds of one node have one level, and those of at most 16 ranks for less than 1 MiB.
 *
 * @param bytes that each rank adds to a sum; 0 for what is not summed.
 */
export const levelsOf = (topology: Topology, bytes = 0): readonly Level[] =>
  levelsAmong(topology.ranks, {
    inside: topology.ranksPerNode,
    lane: widestLane(topology),
    bytes,
  });

/**
 * The same among members of which the first `inside` are in one node, the next ones in another, and so on; their numbers
 * are those of the members.
 */
export function levelsAmong(
  members: number,
  { inside, lane, bytes }: { inside: number; lane: Lane; bytes: number },
): readonly Level[] {
  const few = members <= DIRECT && (inside === 1 || bytes < MANY);
  if (members === inside || few) return [{ size: members, stride: 1, lane }];
  const levels: Level[] = [];
  let stride = 1;
  const add = (size: number, lane: Lane) => {
    if (size > 1) levels.push({ size, stride, lane });
    stride *= size;
  };
  add(inside, "intra");
  for (const size of factors(members / inside)) add(size, lane);
  return levels;
}

/** Divisors whose product is a number: as large as possible up to the widest, then the primes above it. */
function factors(of: number): number[] {
  const found: number[] = [];
  let rest = of;
  for (let size = WIDEST; size > 1; size--) {
    for (; rest % size === 0; rest /= size) found.push(size);
  }
  for (let prime = WIDEST + 1; rest > 1; prime++) {
    for (; rest % prime === 0; rest /= prime) found.push(prime);
  }
  return found;
}

/** What each member adds up after so many levels: a share of its share of the level before. */
export function sharesOf(levels: readonly Level[], count: number) {
  /** Values of the largest share of each level. */
  const nominal: number[] = [];
  for (const { size } of levels) nominal.push(Math.ceil((nominal.at(-1) ?? count) / size));
  return {
    nominal,
    of(member: number, depth: number): { begin: number; size: number } {
      let [begin, end] = [0, count];
      for (let i = 0; i < depth; i++) {
        begin = Math.min(begin + digitOf(levels[i], member) * nominal[i], end);
        end = Math.min(begin + nominal[i], end);
      }
      return { begin, size: end - begin };
    },
  };
}

/** What its tasks are called beside others of the same kind. */
export const levelName = (levels: readonly Level[], depth: number): string =>
  levels.length > 1 ? ` level ${depth + 1}` : "";

/** Place of a rank among those with which it exchanges. */
export const digitOf = ({ size, stride }: Level, rank: number): number =>
  Math.floor(rank / stride) % size;

/** Ranks that exchange with each other, itself included, rising. */
export function membersOf(level: Level, rank: number): number[] {
  const first = rank - digitOf(level, rank) * level.stride;
  return Array.from({ length: level.size }, (_, place) => first + place * level.stride);
}

/** Each rank sends a slice to all others of its level, and copies `copied`. */
export function levelTraffic(topology: Topology, level: Level, copied: 0 | 1): TrafficPattern {
  const { size, lane } = level;
  if (size === topology.ranks) return completeExchange(topology, { copied });
  const others = (rank: number) => membersOf(level, rank).filter((peer) => peer !== rank);
  const count = size - 1;
  const busy: LinkTraffic = { sends: count, receives: count, sent: count, received: count };
  const none: LinkTraffic = { sends: 0, receives: 0, sent: 0, received: 0 };
  const all = { copied, intra: none, inter: none, [lane]: busy };
  const crosses = lane === "inter" ? crossing(topology) : undefined;
  return {
    of: (rank) =>
      topology.spine
        ? { ...all, spine: crosses ? others(rank).filter((to) => crosses(rank, to)).length : 0 }
        : all,
    peers: others,
  };
}
