/** Dispatch and combine in which each token crosses once to a node. @module */
import type { Collective, CollectivePhase, Reduce, Slice, Step } from "./types.ts";
import { SchemoeError, type Topology } from "../types.ts";
import { copy, input, output, receive, reduce, scratch, send } from "./slices.ts";
import { range } from "./world.ts";

/** Tokens of a rank that go to the same ranks of a node. */
export interface TokenGroup {
  readonly source: number;
  readonly node: number;
  /** Ranks of that node, rising. */
  readonly ranks: readonly number[];
}

/**
 * Dispatch with one copy of a token for each node (as DeepEP and HierMoE do): a group of tokens crosses once, to the
 * rank of equal place in the other node, which hands it to all ranks there that have experts for it.
 *
 * Slices of a rank's input are its groups by node, those of its output the groups that go to it, as
 * {@linkcode groupOrder} gives them. Each pair of ranks exchanges one message.
 *
 * ```ts
 * import { topology } from "@schemoe/lab";
 * import { nodeDispatch, proveCollective } from "@schemoe/lab/alltoall";
 * const world = topology({ nodes: 2, ranksPerNode: 2 });
 * const groups = [{ source: 0, node: 1, ranks: [2, 3] }];
 * // rank 0 sends to rank 2, which keeps a copy and sends one to rank 3, from where it lies beside others
 * console.assert(proveCollective(nodeDispatch(world, groups), world).moves === 4);
 * ```
 * @throws {SchemoeError} for a group of ranks that are not of its node.
 */
export function nodeDispatch(topology: Topology, groups: readonly TokenGroup[]): Collective {
  const layout = new Layout(topology, groups);
  return {
    name: "nodeDispatch",
    inputs: (rank) => layout.sent[rank].length,
    outputs: (rank) => layout.received[rank].length,
    terms(rank, index) {
      const group = layout.received[rank][index];
      return [[groups[group].source, layout.place[group]]];
    },
    plan: ({ rank }) => dispatchPhases(layout, rank),
  };
}

/**
 * The way back: results of a group are added in the node first, in the order of its ranks, and the sum crosses once.
 * Its input and output are output and input of {@linkcode nodeDispatch}. A token's results from several nodes are
 * added afterwards, so sums have another order than those of choice after choice.
 *
 * @throws {SchemoeError} for a group of ranks that are not of its node.
 */
export function nodeCombine(topology: Topology, groups: readonly TokenGroup[]): Collective {
  const layout = new Layout(topology, groups);
  return {
    name: "nodeCombine",
    inputs: (rank) => layout.received[rank].length,
    outputs: (rank) => layout.sent[rank].length,
    terms(rank, index) {
      const group = layout.sent[rank][index];
      return groups[group].ranks.map((from) => [from, layout.placeAt(from, group)] as const);
    },
    plan: ({ rank }) => combinePhases(layout, rank),
  };
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
interface Run {
  readonly first: number;
  readonly groups: readonly number[];
}

/** Who holds which group where. */
class Layout {
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

/** Slots of scratch, given out in order. */
class Held {
  #next = 0;

  /** First of as many slots. */
  take(count: number): number {
    const first = this.#next;
    this.#next += count;
    return first;
  }
}

/** A rank among the others. */
function standing({ nodes, ranksPerNode: m }: Topology, rank: number) {
  const [node, local] = [Math.floor(rank / m), rank % m];
  return {
    node,
    local,
    /** Ranks of its node but itself, and those of its place in other nodes. */
    beside: range(m, (i) => node * m + i).filter((peer) => peer !== rank),
    opposite: range(nodes, (n) => n * m + local).filter((peer) => peer !== rank),
  };
}

function dispatchPhases(layout: Layout, rank: number): CollectivePhase[] {
  const { topology, place } = layout;
  const m = topology.ranksPerNode;
  const { node, local, beside, opposite } = standing(topology, rank);
  const [pack, inside, between, sort, deliver]: Step[][] = [[], [], [], [], []];
  const held = new Held();
  /** Hands groups that lie here to a rank of the node, as one message where it is another one. */
  const hand = (to: number, run: Run, at: (group: number) => Slice, steps: [Step[], Step[]]) => {
    if (run.groups.length === 0) return;
    if (to === rank) {
      run.groups.forEach((group, i) => steps[0].push(copy(at(group), output(run.first + i))));
      return;
    }
    const first = held.take(run.groups.length);
    run.groups.forEach((group, i) => steps[0].push(copy(at(group), scratch(first + i))));
    steps[1].push(send(scratch(first, run.groups.length), to));
  };
  const get = (from: number, run: Run, steps: Step[]) => {
    const { first, groups: { length } } = run;
    if (length) steps.push(receive(output(first, length), from));
  };
  for (const to of [rank, ...beside]) {
    hand(to, layout.from(to, local, true), (group) => input(place[group]), [pack, inside]);
  }
  for (const from of beside) get(from, layout.from(rank, from % m, true), inside);
  const arrived = new Map<number, number>();
  for (const peer of opposite) {
    const { first, groups: { length } } = layout.to(rank, Math.floor(peer / m));
    if (length) between.push(send(input(first, length), peer));
    const { groups } = layout.to(peer, node);
    if (groups.length === 0) continue;
    const slot = held.take(groups.length);
    groups.forEach((group, i) => arrived.set(group, slot + i));
    between.push(receive(scratch(slot, groups.length), peer));
  }
  for (const to of [rank, ...beside]) {
    const at = (group: number) => scratch(arrived.get(group)!);
    hand(to, layout.from(to, local, false), at, [sort, deliver]);
  }
  for (const from of beside) get(from, layout.from(rank, from % m, false), deliver);
  const near: CollectivePhase[] = [
    { name: "pack", lane: "intra", after: [], steps: pack },
    { name: "inside", lane: "intra", after: [0], steps: inside },
  ];
  if (topology.nodes === 1) return near;
  return [
    ...near,
    { name: "between", lane: "inter", after: [], steps: between },
    { name: "sort", lane: "intra", after: [2], steps: sort },
    { name: "deliver", lane: "intra", after: [3], steps: deliver },
  ];
}

function combinePhases(layout: Layout, rank: number): CollectivePhase[] {
  const { topology, place, groups } = layout;
  const m = topology.ranksPerNode;
  const { node, local, beside, opposite } = standing(topology, rank);
  const [inside, placed, collect, arranged, between]: Step[][] = [[], [], [], [], []];
  const [sum, add]: Reduce[][] = [[], []];
  const held = new Held();
  /** Brings results of groups to their source's place in this node; gives where each lies, by rank and group. */
  const gather = (stays: boolean, steps: Step[]) => {
    const slots = new Map<string, number>();
    for (const peer of beside) {
      const own = layout.from(rank, peer % m, stays);
      if (own.groups.length) steps.push(send(input(own.first, own.groups.length), peer));
      const theirs = layout.from(peer, local, stays);
      if (theirs.groups.length === 0) continue;
      const slot = held.take(theirs.groups.length);
      theirs.groups.forEach((group, i) => slots.set(`${peer} ${group}`, slot + i));
      steps.push(receive(scratch(slot, theirs.groups.length), peer));
    }
    return (group: number) =>
      groups[group].ranks.map((from) =>
        from === rank ? input(layout.placeAt(rank, group)) : scratch(slots.get(`${from} ${group}`)!)
      );
  };
  const bring = (parts: Slice[], to: Slice, sums: Reduce[], copies: Step[]) => {
    if (parts.length > 1) sums.push(reduce(parts, to));
    else copies.push(copy(parts[0], to));
  };
  const near = gather(true, inside);
  for (const group of layout.to(rank, node).groups) {
    bring(near(group), output(place[group]), sum, placed);
  }
  const far = gather(false, collect);
  for (const peer of opposite) {
    const own = layout.to(rank, Math.floor(peer / m));
    if (own.groups.length) between.push(receive(output(own.first, own.groups.length), peer));
    const theirs = layout.to(peer, node).groups;
    if (theirs.length === 0) continue;
    const first = held.take(theirs.length);
    theirs.forEach((group, i) => bring(far(group), scratch(first + i), add, arranged));
    between.push(send(scratch(first, theirs.length), peer));
  }
  const own: CollectivePhase[] = [
    { name: "inside", lane: "intra", after: [], steps: inside },
    { name: "sum", lane: "compute", after: [0], steps: sum },
    { name: "place", lane: "intra", after: [0], steps: placed },
  ];
  if (topology.nodes === 1) return own;
  return [
    { name: "collect", lane: "intra", after: [], steps: collect },
    { name: "add", lane: "compute", after: [0], steps: add },
    { name: "arrange", lane: "intra", after: [0], steps: arranged },
    { name: "between", lane: "inter", after: [1, 2], steps: between },
    ...own.map((phase, i): CollectivePhase => ({ ...phase, after: i ? [4] : [] })),
  ];
}
