/** Tokens that cross once to a node, in groups, and where each group lies. @module */
import { aTopology, expect, someGroups } from "../arguments/mod.ts";
import { SchemoeError, type Topology } from "../types.ts";
import { range } from "./world.ts";

/** Tokens of a rank that go to the same ranks of a node. */
export interface TokenGroup {
  /** Rank that has the tokens. */
  readonly source: number;
  /** Node that they go to, which may be their own. */
  readonly node: number;
  /** Ranks of that node, rising. */
  readonly ranks: readonly number[];
}

/** Groups of each rank, by number: the order of the slices of input and output of dispatch. */
export interface GroupOrder {
  /** Those of a rank, by node. */
  readonly sent: readonly (readonly number[])[];
  /** Those that go to a rank, by the place in its node of their source, those of its own node first, by source. */
  readonly received: readonly (readonly number[])[];
}

/** @throws {SchemoeError} for a group of ranks that are not of its node. */
export function checkGroups(topology: Topology, groups: readonly TokenGroup[]): void {
  const { ranks: world, ranksPerNode: m } = topology;
  for (const [group, { source, node, ranks }] of groups.entries()) {
    const rising = ranks.every((rank, i) =>
      Number.isInteger(rank) && Math.floor(rank / m) === node && (i === 0 || rank > ranks[i - 1])
    );
    if (!(Number.isInteger(source) && source >= 0 && source < world && ranks.length && rising)) {
      throw new SchemoeError(
        `Cannot lay out the token groups: group ${group} goes from rank ${source} to ` +
          `${ranks.join(", ") || "no ranks"} of node ${node}; give rising ranks of that node`,
      );
    }
  }
}

/** In which order groups lie. @throws {SchemoeError} for a group of ranks that are not of its node. */
export function groupOrder(topology: Topology, groups: readonly TokenGroup[]): GroupOrder {
  expect("groupOrder", "topology", topology, aTopology);
  expect("groupOrder", "groups", groups, someGroups);
  return layoutOf(topology, groups);
}

/** Groups in the order of numbers, of equal ones in their own. */
function sorted(list: readonly number[], groups: number, number: (group: number) => number) {
  const keys = Float64Array.from(list, (group) => number(group) * groups + group).sort();
  return Array.from(keys, (key) => key % groups);
}

/** Consecutive slices and their groups. */
export interface Run {
  readonly first: number;
  readonly groups: readonly number[];
}

const layouts = new WeakMap<readonly TokenGroup[], WeakMap<Topology, GroupLayout>>();

/** The layout of groups in a world, made once. @throws {SchemoeError} for a group of ranks that are not of its node. */
export function layoutOf(topology: Topology, groups: readonly TokenGroup[]): GroupLayout {
  let known = layouts.get(groups);
  if (!known) layouts.set(groups, known = new WeakMap());
  let layout = known.get(topology);
  if (!layout) known.set(topology, layout = new GroupLayout(topology, groups));
  return layout;
}

/** Who holds which group where: slices of a rank's input and output of a dispatch, those of a combine the other way. */
export class GroupLayout implements GroupOrder {
  readonly sent: readonly (readonly number[])[];
  readonly received: readonly (readonly number[])[];
  /** Place of a group among those of its source. */
  readonly place: Int32Array;
  /** Places of a group among those that each of its ranks gets, rank by rank, and where they begin. */
  readonly #places: Int32Array;
  readonly #begin: Int32Array;
  readonly #to: readonly ReadonlyMap<number, Run>[];
  readonly #from: readonly ReadonlyMap<number, Run>[];

  /** @throws {SchemoeError} for a group of ranks that are not of its node. */
  constructor(readonly topology: Topology, readonly groups: readonly TokenGroup[]) {
    checkGroups(topology, groups);
    const { ranks: world } = topology;
    const { length } = groups;
    const lists = () => range(world, (): number[] => []);
    const [sent, received] = [lists(), lists()];
    this.#begin = new Int32Array(length + 1);
    for (let group = 0; group < length; group++) {
      const { source, ranks } = groups[group];
      sent[source].push(group);
      for (const rank of ranks) received[rank].push(group);
      this.#begin[group + 1] = this.#begin[group] + ranks.length;
    }
    this.sent = sent.map((list) => sorted(list, length, (group) => groups[group].node));
    this.received = received.map((list) =>
      sorted(list, length, (group) => this.#came(group) * world + groups[group].source)
    );
    this.place = new Int32Array(length);
    for (const list of this.sent) list.forEach((group, i) => this.place[group] = i);
    this.#places = new Int32Array(this.#begin[length]);
    this.received.forEach((list, rank) =>
      list.forEach((group, i) => this.#places[this.#at(rank, group)] = i)
    );
    this.#to = this.sent.map((list) => runs(list, (group) => groups[group].node));
    this.#from = this.received.map((list) => runs(list, (group) => this.#came(group)));
  }

  /** Whether a group stays in its node. */
  stays(group: number): boolean {
    const { source, node } = this.groups[group];
    return Math.floor(source / this.topology.ranksPerNode) === node;
  }

  /** Place of a group among those that a rank gets. */
  placeAt(rank: number, group: number): number {
    return this.#places[this.#at(rank, group)];
  }

  /** Groups of a rank for a node. */
  to(rank: number, node: number): Run {
    return this.#to[rank].get(node) ?? NONE;
  }

  /** Groups that a rank gets of sources of a place, in its node or from others. */
  from(rank: number, local: number, stays: boolean): Run {
    return this.#from[rank].get(2 * local + Number(!stays)) ?? NONE;
  }

  /** Number of the place in its node that a group came from, first in the own node, then in others. */
  #came(group: number): number {
    return 2 * (this.groups[group].source % this.topology.ranksPerNode) +
      Number(!this.stays(group));
  }

  /** Where the place of a group on a rank is noted. */
  #at(rank: number, group: number): number {
    return this.#begin[group] + this.groups[group].ranks.indexOf(rank);
  }
}

const NONE: Run = { first: 0, groups: [] };

function runs(list: readonly number[], key: (group: number) => number): Map<number, Run> {
  const found = new Map<number, { first: number; groups: number[] }>();
  list.forEach((group, i) => {
    const run = found.get(key(group));
    if (run) run.groups.push(group);
    else found.set(key(group), { first: i, groups: [group] });
  });
  return found;
}
