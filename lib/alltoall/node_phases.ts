/** What a rank does in an exchange in which each token crosses once to a node. @module */
import type { CollectivePhase, Reduce, Slice, Step } from "./types.ts";
import type { Topology } from "../types.ts";
import { copy, input, output, receive, reduce, scratch, send } from "./slices.ts";
import type { GroupLayout, Run } from "./token_groups.ts";
import { range } from "./world.ts";

/** A phase without its steps. */
type Bare = Omit<CollectivePhase, "steps">;

/** A phase, and the ones that it waits for by name. */
interface NodePhase {
  readonly name: string;
  readonly lane: CollectivePhase["lane"];
  readonly after: readonly string[];
  /** Whether it is of what crosses to other nodes. */
  readonly crosses: boolean;
}

/** Phases of a dispatch. */
export const DISPATCH_PHASES: readonly NodePhase[] = [
  { name: "pack", lane: "intra", after: [], crosses: false },
  { name: "inside", lane: "intra", after: ["pack"], crosses: false },
  { name: "between", lane: "inter", after: [], crosses: true },
  { name: "sort", lane: "intra", after: ["between"], crosses: true },
  { name: "deliver", lane: "intra", after: ["sort"], crosses: true },
];

/** Phases of a combine. */
export const COMBINE_PHASES: readonly NodePhase[] = [
  { name: "collect", lane: "intra", after: [], crosses: true },
  { name: "add", lane: "compute", after: ["collect"], crosses: true },
  { name: "arrange", lane: "intra", after: ["collect"], crosses: true },
  { name: "between", lane: "inter", after: ["add", "arrange"], crosses: true },
  { name: "inside", lane: "intra", after: [], crosses: false },
  { name: "sum", lane: "compute", after: ["inside"], crosses: false },
  { name: "place", lane: "intra", after: ["inside"], crosses: false },
];

/** The phases of a world, by number. */
export function phasesOf(all: readonly NodePhase[], { nodes }: Topology): Bare[] {
  const own = all.filter(({ crosses }) => nodes > 1 || !crosses);
  const numbers = new Map(own.map(({ name }, i) => [name, i]));
  return own.map(({ name, lane, after }) => {
    return { name, lane, after: after.map((before) => numbers.get(before)!) };
  });
}

const filled = (
  phases: readonly Bare[],
  steps: Readonly<Record<string, CollectivePhase["steps"]>>,
): CollectivePhase[] => phases.map((phase) => ({ ...phase, steps: steps[phase.name!] }));

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

/** Groups go to the rank of their source's place in the other node, which hands them to the ranks there. */
export function dispatchPhases(layout: GroupLayout, rank: number): CollectivePhase[] {
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
  return filled(phasesOf(DISPATCH_PHASES, topology), { pack, inside, between, sort, deliver });
}

/** The way back: results of a group are added where its tokens arrived, and the sums cross. */
export function combinePhases(layout: GroupLayout, rank: number): CollectivePhase[] {
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
  return filled(phasesOf(COMBINE_PHASES, topology), {
    ...{ collect, add, arrange: arranged, between },
    ...{ inside, sum, place: placed },
  });
}
