/** The least time that any schedule of a graph can take. @module */
import { aGraph, expect, someCosts } from "../arguments/mod.ts";
import type { Costs } from "./types.ts";
import { LANES, type Task, type TaskGraph } from "../types.ts";
import { interchangeable } from "./bound_groups.ts";
import { type Jobs, oneMachineBound, sharedMachineBound } from "./bound_machine.ts";
import { costTable, sameSeconds } from "./bound_table.ts";

/** A lower bound and what makes it. */
export interface Bound {
  /** Seconds below which no order of these tasks can come. */
  readonly seconds: number;
  /** `inter lane of rank 2`, `longest chain of rank 0`, ... */
  readonly limit: string;
}

/**
 * A time below which no schedule of the graph can come. The largest of: the longest chain of tasks of a
 * rank; each lane of a rank as one machine whose tasks have heads (what must come before) and tails
 * (what must follow); each shared processor likewise, running `capacity` tasks at once, transfers among them
 * where they need processors.
 *
 * ```ts
 * import { topology } from "@schemoe/lab";
 * import { GraphBuilder } from "@schemoe/lab/graph";
 * import { lowerBound, modelCosts } from "@schemoe/lab/costs";
 * const world = topology({ nodes: 1, ranksPerNode: 1, processor: { alpha: 1, flopRate: 1 } });
 * const g = new GraphBuilder(world, "forward", 1);
 * const first = g.add({ kind: "opaque", label: "first", chunk: 0, stage: 0, after: [] });
 * g.add({ kind: "opaque", label: "second", chunk: 0, stage: 1, after: [first] });
 * console.assert(lowerBound(g.build({}), modelCosts(world)).seconds === 2);
 * ```
 * @param costs times of tasks that run alone; never those of a run in which they overlapped.
 * @throws {SchemoeError} naming a task whose cost is missing, negative or no finite number.
 */
export function lowerBound(graph: TaskGraph, costs: Costs): Bound {
  expect("lowerBound", "graph", graph, aGraph);
  expect("lowerBound", "costs", costs, someCosts);
  const { ranks, sharing } = graph.topology;
  const table = costTable(graph, costs, "Cannot bound the graph");
  let best: Bound = { seconds: 0, limit: "no tasks" };
  const consider = (seconds: number, limit: string) => {
    // two ways to the same bound differ in rounding: the first one names it
    if (seconds > best.seconds * (1 + 1e-12)) best = { seconds, limit };
  };
  const bounds = new RankBounds(graph);
  const ranksOf = new Map<number, Jobs[]>();
  const lanes = sharing?.turns?.transfers ? LANES : LANES.slice(0, 1);
  const tasksOf = lanes.map((lane) => graph.tasks.filter((task) => task.lane === lane));
  /** What tasks need of processors, each as much of one as it can use. */
  const needs = (one: OneRank, rank: number): Jobs[] =>
    tasksOf.map((tasks, i) => {
      const jobs = one.lanes[i];
      const width = (at: number) => Math.min(1, costs.width?.(tasks[at], rank) ?? 1);
      return costs.width ? { ...jobs, seconds: jobs.seconds.map((s, at) => s * width(at)) } : jobs;
    });
  for (let rank = 0; rank < ranks; rank++) {
    const one = bounds.of(column(table, rank, ranks));
    if (sharing) {
      const processor = sharing.of[rank];
      ranksOf.set(processor, [...(ranksOf.get(processor) ?? []), ...needs(one, rank)]);
    }
    if (one.counted) continue;
    one.counted = true;
    consider(one.chain, `longest chain of rank ${rank}`);
    one.lanes.forEach((jobs, i) =>
      consider(oneMachineBound(jobs), `${LANES[i]} lane of rank ${rank}`)
    );
  }
  for (const [processor, all] of ranksOf) {
    const jobs = joined(all);
    consider(sharedMachineBound(jobs, sharing!.capacity[processor]), `processor ${processor}`);
  }
  return best;
}

/** Lower bound from one rank's costs. */
interface OneRank {
  readonly seconds: Float64Array;
  readonly chain: number;
  /** In the order of `LANES`, compute first. */
  readonly lanes: readonly Jobs[];
  counted: boolean;
}

/** Heads and tails of ranks, worked out once for ranks with the same costs. */
class RankBounds {
  readonly #known = new Map<number, OneRank[]>();
  #groups?: Task[][];

  constructor(readonly graph: TaskGraph) {}

  of(seconds: Float64Array): OneRank {
    const hash = seconds.reduce((sum, value) => (sum * 31 + Math.fround(value)) % 1e9, 7);
    const alike = this.#known.get(hash) ?? [];
    const known = alike.find((one) =>
      one.seconds.every((value, i) => sameSeconds(value, seconds[i]))
    );
    if (known) return known;
    const one = this.#make(seconds);
    this.#known.set(hash, [...alike, one]);
    return one;
  }

  #make(seconds: Float64Array): OneRank {
    const { tasks } = this.graph;
    const same = (a: Task, b: Task) => sameSeconds(seconds[a.id], seconds[b.id]);
    const fits = this.#groups?.every((group) => group.every((task) => same(task, group[0])));
    if (!fits) this.#groups = interchangeable(this.graph, same);
    const before = tasks.map(({ after }) => [...after]);
    const chain = heads(before, seconds).reduce(
      (most, head, i) => Math.max(most, head + seconds[i]),
      0,
    );
    // the tasks of a group follow each other
    for (const group of this.#groups!) {
      group.slice(1).forEach(({ id }, i) => before[id].push(group[i].id));
    }
    const head = heads(before, seconds);
    const tail = tails(before, seconds);
    const lanes = LANES.map((lane) => {
      const ids = tasks.flatMap((task) => task.lane === lane ? [task.id] : []);
      const pick = (values: Float64Array) => Float64Array.from(ids, (id) => values[id]);
      return { head: pick(head), seconds: pick(seconds), tail: pick(tail) };
    });
    return { seconds, chain, lanes, counted: false };
  }
}

/** Earliest start of each task when every task but its predecessors waits for nothing. */
function heads(before: readonly (readonly number[])[], seconds: Float64Array): Float64Array {
  const head = new Float64Array(seconds.length);
  for (const [id, list] of before.entries()) {
    for (const earlier of list) head[id] = Math.max(head[id], head[earlier] + seconds[earlier]);
  }
  return head;
}

/** Least time from the end of each task to the end of all. */
function tails(before: readonly (readonly number[])[], seconds: Float64Array): Float64Array {
  const tail = new Float64Array(seconds.length);
  for (let id = seconds.length - 1; id >= 0; id--) {
    for (const earlier of before[id]) {
      tail[earlier] = Math.max(tail[earlier], seconds[id] + tail[id]);
    }
  }
  return tail;
}

const column = (table: Float64Array, rank: number, ranks: number): Float64Array =>
  Float64Array.from({ length: table.length / ranks }, (_, id) => table[id * ranks + rank]);

function joined(parts: readonly Jobs[]): Jobs {
  const join = (pick: (jobs: Jobs) => Float64Array) =>
    Float64Array.from(parts.flatMap((jobs) => [...pick(jobs)]));
  return { head: join((j) => j.head), seconds: join((j) => j.seconds), tail: join((j) => j.tail) };
}
