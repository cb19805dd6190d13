/** Tokens that cross once to a node, in groups, and where each group lies. @module */
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

/** In which order groups lie. @throws {SchemoeError} for a group of ranks that are not of its node. */
export function groupOrder(topology: Topology, groups: readonly TokenGroup[]): GroupOrder {
  const { ranks: world, ranksPerNode: m } = topology;
  const lists = () => range(world, (): number[] => []);
  const [sent, received] = [lists(), lists()];
  const nodeOf = (rank: number) => Math.floor(rank / m);
  for (const [group, { source, node, ranks }] of groups.entries()) {
    const rising = ranks.every((rank, i) =>
      Number.isInteger(rank) && nodeOf(rank) === node && (i === 0 || rank > ranks[i - 1])
    );
    if (!(Number.isInteger(source) && source >= 0 && source < world && ranks.length && rising)) {
      throw new SchemoeError(
        `Cannot lay out the token groups: group ${group} goes from rank ${source} to ` +
          `${ranks.join(", ") || "no ranks"} of node ${node}; give rising ranks of that node`,
      );
    }
    sent[source].push(group);
    for (const rank of ranks) received[rank].push(group);
  }
  for (const list of sent) list.sort((a, b) => groups[a].node - groups[b].node || a - b);
  received.forEach((list, rank) => {
    const key = (group: number) => {
      const { source } = groups[group];
      return [
        source % m,
        Number(nodeOf(source) !== nodeOf(rank)),
        source,
        groups[group].node,
        group,
      ];
    };
    const keys = new Map(list.map((group) => [group, key(group)]));
    list.sort((a, b) => {
      const [x, y] = [keys.get(a)!, keys.get(b)!];
      const at = x.findIndex((value, i) => value !== y[i]);
      return at < 0 ? 0 : x[at] - y[at];
    });
  });
  return { sent, received };
}

/** Consecutive slices and their groups. */
export interface Run {
  readonly first: number;
  readonly groups: readonly number[];
}

/** Who holds which group where: slices of a rank's input and output of a dispatch, those of a combine the other way. */
export class GroupLayout {
  readonly sent: GroupOrder["sent"];
  readonly received: GroupOrder["received"];
  /** Place of a group among those of its source. */
  readonly place: Int32Array;
  readonly #placeAt: readonly ReadonlyMap<number, number>[];
  readonly #to: readonly ReadonlyMap<number, Run>[];
  readonly #from: readonly ReadonlyMap<string, Run>[];

  constructor(readonly topology: Topology, readonly groups: readonly TokenGroup[]) {
    const { sent, received } = groupOrder(topology, groups);
    [this.sent, this.received] = [sent, received];
    this.place = new Int32Array(groups.length);
    for (const list of sent) list.forEach((group, i) => this.place[group] = i);
    this.#placeAt = received.map((list) => new Map(list.map((group, i) => [group, i])));
    this.#to = sent.map((list) => runs(list, (group) => groups[group].node));
    const m = topology.ranksPerNode;
    this.#from = received.map((list) =>
      runs(list, (group) => `${groups[group].source % m} ${this.stays(group)}`)
    );
  }

  /** Whether a group stays in its node. */
  stays(group: number): boolean {
    const { source, node } = this.groups[group];
    return Math.floor(source / this.topology.ranksPerNode) === node;
  }

  /** Place of a group among those that a rank gets. */
  placeAt(rank: number, group: number): number {
    return this.#placeAt[rank].get(group)!;
  }

  /** Groups of a rank for a node. */
  to(rank: number, node: number): Run {
    return this.#to[rank].get(node) ?? NONE;
  }

  /** Groups that a rank gets of sources of a place, in its node or from others. */
  from(rank: number, local: number, stays: boolean): Run {
    return this.#from[rank].get(`${local} ${stays}`) ?? NONE;
  }
}

const NONE: Run = { first: 0, groups: [] };

function runs<T>(list: readonly number[], key: (group: number) => T): Map<T, Run> {
  const found = new Map<T, { first: number; groups: number[] }>();
  list.forEach((group, i) => {
    const run = found.get(key(group));
    if (run) run.groups.push(group);
    else found.set(key(group), { first: i, groups: [group] });
  });
  return found;
}
