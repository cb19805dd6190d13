/**
 * Who waits for whom in a phase, as structures that find all latest posts in one pass.
 * @module
 */
import { type NodePairs, SchemoeError, type TrafficPattern } from "../../types.ts";

/** Posts of one phase: an operation begins when it and all its peers have posted. */
export interface Meeting {
  /** Writes for each column the latest of its own post and those of its peers. */
  latest(posts: Float64Array, out: Float64Array): void;
  /** All that meet a column and one another, itself included; absent where groups overlap. */
  group?(column: number): readonly number[];
  /** Columns that a column waits for. */
  peers(column: number): ArrayLike<number>;
}

/** Simulated ranks, and the column in which any rank of the world is found. */
export interface Columns {
  /** Rank of each column. */
  readonly ranks: ArrayLike<number>;
  of(rank: number): number;
  /** True when column r is rank r, for all ranks. */
  readonly all: boolean;
}

/**
 * Meetings of several patterns: complete exchanges inside groups of ranks and between them are told
 * from all others, so that they take time and memory in the number of ranks and not of pairs.
 *
 * @throws {SchemoeError} naming two ranks of which only one exchanges with the other.
 */
export function makeMeetings(
  patterns: ReadonlyMap<TrafficPattern, string>,
  columns: Columns,
): Map<TrafficPattern, Meeting> {
  const known = new Map<TrafficPattern, Meeting>();
  const asked: [TrafficPattern, string][] = [];
  for (const [pattern, name] of patterns) {
    const { nodePairs } = columns.all ? pattern : {};
    if (nodePairs) known.set(pattern, byNodes(nodePairs, pattern));
    else asked.push([pattern, name]);
  }
  const candidates = asked.map(([pattern, name]) => ({
    pattern,
    name,
    inside: new Partition(columns.ranks.length),
    between: new Partition(columns.ranks.length),
  }));
  // a rank's plan is made once for all its phases
  for (let column = 0; column < columns.ranks.length; column++) {
    for (const { pattern, inside, between } of candidates) {
      if (inside.failed && between.failed) continue;
      const peers = columnsOf(pattern, columns, column);
      inside.add(column, withColumn(peers, column));
      if (!between.failed) between.add(column, complement(peers, columns.ranks.length));
    }
  }
  const lists = listed(
    candidates.filter((c) => !c.inside.complete && !c.between.complete),
    columns,
  );
  for (const { pattern, inside, between } of candidates) {
    if (inside.complete) known.set(pattern, insideGroups(inside.groups));
    else if (between.complete) known.set(pattern, betweenGroups(between.groups));
    else known.set(pattern, byList(lists.get(pattern)!));
  }
  return known;
}

/** Peers as columns, each once, rising. */
function columnsOf(pattern: TrafficPattern, columns: Columns, column: number): Int32Array {
  const peers = pattern.peers(columns.ranks[column]);
  if (columns.all && peers instanceof Int32Array) return peers;
  const mapped = Int32Array.from(peers, (rank) => columns.of(rank));
  let rising = true;
  for (let i = 1; i < mapped.length && rising; i++) rising = mapped[i - 1] < mapped[i];
  return rising ? mapped : Int32Array.from(new Set(mapped)).sort();
}

function withColumn(peers: Int32Array, column: number): Int32Array {
  let at = 0;
  while (at < peers.length && peers[at] < column) at++;
  if (peers[at] === column) return peers;
  const all = new Int32Array(peers.length + 1);
  all.set(peers.subarray(0, at));
  all[at] = column;
  all.set(peers.subarray(at), at + 1);
  return all;
}

/** Columns that are no peers; the own one is none unless its class has peers in itself. */
function complement(peers: Int32Array, columns: number): Int32Array {
  const rest = new Int32Array(columns - peers.length);
  let at = 0;
  for (let column = 0, i = 0; column < columns; column++) {
    if (i < peers.length && peers[i] === column) i++;
    else rest[at++] = column;
  }
  return rest;
}

/** Finds out whether the sets of all columns are the parts of one partition, each column in its own. */
class Partition {
  readonly groups: Int32Array;
  failed = false;
  readonly #parts: { readonly set: Int32Array; members: number }[] = [];
  readonly #byFirst = new Map<number, number>();

  constructor(columns: number) {
    this.groups = new Int32Array(columns).fill(-1);
  }

  get complete(): boolean {
    return !this.failed && this.#parts.every(({ set, members }) => set.length === members);
  }

  add(column: number, set: Int32Array): void {
    if (this.failed) return;
    let number = this.#byFirst.get(set[0]);
    if (number === undefined) {
      number = this.#parts.push({ set, members: 0 }) - 1;
      this.#byFirst.set(set[0], number);
    }
    const part = this.#parts[number];
    if (part.set.length !== set.length || set.length === 0) return this.#fail();
    for (let i = 0; i < set.length; i++) if (set[i] !== part.set[i]) return this.#fail();
    part.members++;
    this.groups[column] = number;
  }

  #fail(): void {
    this.failed = true;
  }
}

function membersOf(groups: Int32Array): number[][] {
  const members: number[][] = [];
  groups.forEach((group, column) => (members[group] ??= []).push(column));
  return members;
}

/** All columns of a group meet. */
function insideGroups(groups: Int32Array): Meeting {
  const members = membersOf(groups);
  const latest = new Float64Array(members.length);
  return {
    latest(posts, out) {
      groupMaxima(groups, posts, latest);
      for (let column = 0; column < posts.length; column++) out[column] = latest[groups[column]];
    },
    group: (column) => members[groups[column]],
    peers: (column) => members[groups[column]].filter((other) => other !== column),
  };
}

/** Each column meets all columns of other groups. */
function betweenGroups(groups: Int32Array): Meeting {
  const members = membersOf(groups);
  const latest = new Float64Array(members.length);
  return {
    latest(posts, out) {
      groupMaxima(groups, posts, latest);
      let first = -1;
      let second = -Infinity;
      for (let group = 0; group < latest.length; group++) {
        if (first < 0 || latest[group] > latest[first]) {
          if (first >= 0) second = latest[first];
          first = group;
        } else second = Math.max(second, latest[group]);
      }
      for (let column = 0; column < posts.length; column++) {
        const others = groups[column] === first ? second : latest[first];
        out[column] = Math.max(posts[column], others);
      }
    },
    peers: (column) => members.filter((_, group) => group !== groups[column]).flat(),
  };
}

function groupMaxima(groups: Int32Array, posts: Float64Array, latest: Float64Array): void {
  latest.fill(-Infinity);
  for (let column = 0; column < posts.length; column++) {
    const group = groups[column];
    if (posts[column] > latest[group]) latest[group] = posts[column];
  }
}

/** Ranks that meet by pairs of nodes, all ranks being columns. */
function byNodes(
  { ranksPerNode: m, from, to, list, lists }: NodePairs,
  { peers }: TrafficPattern,
): Meeting {
  return {
    latest(posts, out) {
      out.set(posts);
      for (let i = 0; i < from.length; i++) {
        const [a, b] = [from[i] * m, to[i] * m];
        for (const place of lists[list[i]]) {
          const [one, other] = [a + Math.floor(place / m), b + place % m];
          if (posts[other] > out[one]) out[one] = posts[other];
          if (posts[one] > out[other]) out[other] = posts[one];
        }
      }
    },
    peers,
  };
}

/** Peers of every column one by one. */
function byList(lists: readonly Int32Array[]): Meeting {
  return {
    latest(posts, out) {
      for (let column = 0; column < posts.length; column++) {
        const peers = lists[column];
        let latest = posts[column];
        for (let i = 0; i < peers.length; i++) {
          if (posts[peers[i]] > latest) latest = posts[peers[i]];
        }
        out[column] = latest;
      }
    },
    peers: (column) => lists[column],
  };
}

/** Lists of peers, checked to be mutual. */
function listed(
  patterns: readonly { readonly pattern: TrafficPattern; readonly name: string }[],
  columns: Columns,
): Map<TrafficPattern, Int32Array[]> {
  const lists = new Map(patterns.map(({ pattern }) => [pattern, [] as Int32Array[]]));
  for (let column = 0; column < columns.ranks.length && patterns.length > 0; column++) {
    for (const { pattern } of patterns) {
      const peers = columnsOf(pattern, columns, column);
      lists.get(pattern)!.push(peers.filter((peer) => peer !== column));
    }
  }
  for (const { pattern, name } of patterns) {
    const of = lists.get(pattern)!.map((peers) => new Set(peers));
    of.forEach((peers, column) => {
      for (const peer of peers) {
        if (of[peer].has(column)) continue;
        const [rank, other] = [columns.ranks[column], columns.ranks[peer]];
        throw new SchemoeError(
          `Cannot simulate: in task ${name} rank ${rank} exchanges with rank ${other}, which does not ` +
            `with rank ${rank}; let every send meet a receive`,
          { rank },
        );
      }
    });
  }
  return lists;
}
