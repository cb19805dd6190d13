/** Which ranks meet in a phase, pair of nodes by pair of nodes. @module */
import type { NodePairs } from "../../types.ts";

/** Lists of places that occur in many pairs of nodes, each kept once. */
export class Places {
  readonly lists: Int32Array[] = [];
  readonly #known = new Map<number, number[]>();

  /** Number of a list. */
  number(places: readonly number[]): number {
    let hash = places.length;
    for (const place of places) hash = (Math.imul(hash, 31) + place) | 0;
    const alike = this.#known.get(hash);
    const found = alike?.find((number) => same(this.lists[number], places));
    if (found !== undefined) return found;
    const number = this.lists.push(Int32Array.from(places)) - 1;
    if (alike) alike.push(number);
    else this.#known.set(hash, [number]);
    return number;
  }
}

const same = (a: Int32Array, b: readonly number[]) =>
  a.length === b.length && a.every((value, i) => value === b[i]);

/** Pairs of fewer nodes have different numbers. */
const MOST_NODES = 2 ** 24;

/** Collects the pairs of ranks of a phase; those of a pair of nodes one after another. */
export class PairCollector {
  readonly #from: number[] = [];
  readonly #to: number[] = [];
  readonly #list: number[] = [];
  readonly #marked: Uint8Array;
  #places: number[] = [];
  #open: readonly [from: number, to: number] | undefined;
  /** Lists of each pair of nodes, where a pair may come again. */
  readonly #before?: Map<number, number[]>;

  /** @param repeated whether a pair of nodes may come again, after others. */
  constructor(
    readonly ranksPerNode: number,
    readonly known: Places,
    { repeated = false }: { readonly repeated?: boolean } = {},
  ) {
    if (repeated) this.#before = new Map();
    this.#marked = new Uint8Array(ranksPerNode * ranksPerNode);
  }

  add(source: number, destination: number): void {
    const m = this.ranksPerNode;
    const [from, to] = [Math.floor(source / m), Math.floor(destination / m)];
    if (this.#open?.[0] !== from || this.#open[1] !== to) {
      this.#close();
      this.#open = [from, to];
    }
    const place = (source - from * m) * m + destination - to * m;
    if (this.#marked[place]) return;
    this.#marked[place] = 1;
    this.#places.push(place);
  }

  #close(): void {
    if (!this.#open) return;
    for (const place of this.#places) this.#marked[place] = 0;
    const [from, to] = this.#open;
    const list = this.known.number(this.#places.sort((a, b) => a - b));
    this.#places = [];
    this.#open = undefined;
    if (this.#again(from, to, list)) return;
    this.#from.push(from);
    this.#to.push(to);
    this.#list.push(list);
  }

  /** Whether a pair of nodes has come with a list before. */
  #again(from: number, to: number, list: number): boolean {
    if (!this.#before) return false;
    const pair = from * MOST_NODES + to;
    const lists = this.#before.get(pair);
    if (lists?.includes(list)) return true;
    if (lists) lists.push(list);
    else this.#before.set(pair, [list]);
    return false;
  }

  pairs(): NodePairs {
    this.#close();
    return {
      ranksPerNode: this.ranksPerNode,
      from: Int32Array.from(this.#from),
      to: Int32Array.from(this.#to),
      list: Int32Array.from(this.#list),
      lists: this.known.lists,
    };
  }
}

/** Finds the ranks that a rank meets. */
export function peersByNode(
  { ranksPerNode: m, from, to, list, lists }: NodePairs,
  nodes: number,
): (rank: number) => Int32Array {
  // entries of each node, on either side
  const first = new Int32Array(nodes + 1);
  const ends = [from, to];
  for (const side of ends) for (const node of side) first[node + 1]++;
  for (let node = 0; node < nodes; node++) first[node + 1] += first[node];
  const next = first.slice();
  const entries = new Int32Array(2 * from.length);
  for (let i = 0; i < from.length; i++) {
    for (const side of ends) entries[next[side[i]]++] = i;
  }
  return (rank) => {
    const node = Math.floor(rank / m);
    const local = rank - node * m;
    const peers = new Set<number>();
    for (let k = first[node]; k < first[node + 1]; k++) {
      const i = entries[k];
      for (const place of lists[list[i]]) {
        const [out, into] = [Math.floor(place / m), place % m];
        if (from[i] === node && out === local) peers.add(to[i] * m + into);
        if (to[i] === node && into === local) peers.add(from[i] * m + out);
      }
    }
    return Int32Array.from(peers).sort();
  };
}
