/** Any scheduler on a stack of layers. @module */
import { aScheduler, expect } from "../arguments/mod.ts";
import { segmentsOf } from "../graph/mod.ts";
import type { Costs } from "../costs/types.ts";
import { type Lane, LANES, SchemoeError, type Task, type TaskGraph } from "../types.ts";
import { successors } from "./list_schedule.ts";
import type { Scheduler } from "./types.ts";

const known = new WeakMap<Scheduler, Scheduler>();

/**
 * The order of a scheduler for each layer, one layer after another, with what nothing waits for put into
 * gaps of any layer after it: weight gradients (as Jiang et al., "Lancet", MLSys'24), reductions of
 * gradients, which give way to all-to-alls (as Li et al., "Lina", ATC'23), and the norm and the update of a step. Weight
 * gradients stay in their place where moving them saves nothing by the costs. A scheduler that adds edges, as
 * `sequential` does, keeps its order, and each layer waits for all of the one before. Stacks and models do this with
 * every scheduler by themselves; it is for graphs of your own.
 *
 * ```ts
 * import { acrossLayers, createStack, openEngine, optSche } from "@schemoe/lab";
 * const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 };
 * const stack = createStack(engine, { layer, layers: 3 });
 * const choices = { scheduler: acrossLayers(optSche), chunks: 2 };
 * await stack.forward(choices);
 * const run = await stack.backward(choices);
 * console.assert(run.makespan > 0);
 * ```
 * @throws {SchemoeError} (when it orders) for a graph that is no stack.
 */
export function acrossLayers(scheduler: Scheduler): Scheduler {
  expect("acrossLayers", "scheduler", scheduler, aScheduler);
  let stacked = known.get(scheduler);
  if (!stacked) {
    stacked = {
      name: scheduler.name,
      ...(scheduler.reassociate ? { reassociate: true } : {}),
      order: (graph, costs) => orderStack(scheduler, graph, costs),
    };
    known.set(scheduler, stacked);
    // stacks and models call this for every scheduler, one that has been through it too
    known.set(stacked, stacked);
  }
  return stacked;
}

function orderStack(scheduler: Scheduler, graph: TaskGraph, costs: Costs) {
  const segments = segmentsOf(graph);
  if (!segments) {
    throw new SchemoeError(
      `Cannot order across layers with "${scheduler.name}": the graph is no stack, make it with stackGraph`,
    );
  }
  const order: Task[] = [];
  const after: (readonly [Task, Task])[] = [];
  for (const { segment, tasks } of segments) {
    const local: Costs = {
      source: costs.source,
      seconds: (task, rank) => costs.seconds(tasks[task.id], rank),
    };
    const schedule = scheduler.order(segment.graph, local);
    const { order: list, after: edges } = "order" in schedule
      ? schedule
      : { order: schedule, after: [] };
    const last = order.at(-1);
    const chained = list.length > 1 && edges.length >= list.length - 1;
    after.push(...edges.map(([a, b]) => [tasks[a.id], tasks[b.id]] as const));
    order.push(...list.map(({ id }) => tasks[id]));
    const first = tasks[list[0]?.id];
    if (last && first && (chained || after.length > 0)) after.push([last, first]);
  }
  return after.length > 0 ? { order, after } : fillGaps(graph, order, costs);
}

/** Share of the time that weight gradients must save to leave their place, where they keep what they need for longer. */
const WORTH = 1e-3;

/** The order with its gaps filled, with weight gradients too if that is faster by the costs. */
function fillGaps(graph: TaskGraph, order: readonly Task[], costs: Costs): readonly Task[] {
  const lanes = new Set(order.map(({ lane }) => lane));
  if (lanes.size < 2) return order; // nothing waits for another lane
  const seconds = graph.tasks.map((task) => costs.seconds(task));
  const next = successors(graph);
  const fill = (later: Uint8Array) => new GapFiller(graph, { seconds, next, later }).fill(order);
  const inPlace = fill(deferrable(graph, false));
  const work = order.reduce(
    (sum, { id, lane }) => lane === "compute" ? sum + seconds[id] : sum,
    0,
  );
  if (inPlace.makespan * (1 - WORTH) <= work) return inPlace.order;
  const moved = fill(deferrable(graph, true));
  return (moved.makespan < inPlace.makespan * (1 - WORTH) ? moved : inPlace).order;
}

/** A lane's tasks in their order, and those that may come later. */
interface Queue {
  readonly first: readonly Task[];
  /** How many of them are done. */
  begun: number;
  readonly later: Task[];
}

/** What is the same for all orders of a graph, and which tasks may come later. */
interface GapsOf {
  readonly seconds: readonly number[];
  /** The tasks that wait for each. */
  readonly next: readonly (readonly Task[])[];
  readonly later: Uint8Array;
}

/**
 * Simulates an order, each lane in turn, and lets a task that may come later in where its lane would be idle: on a link
 * if it is done before the lane's next task could begin, as far as that is known, on a processor if it begins before:
 * there is always more to compute, but an all-to-all that has to wait keeps all ranks waiting.
 */
class GapFiller {
  readonly #of: GapsOf;
  /** When all that a task needs is done; `#open` counts what is not yet. */
  readonly #ready: Float64Array;
  readonly #open: Uint32Array;
  readonly #free: Record<Lane, number> = { compute: 0, intra: 0, inter: 0 };

  constructor(graph: TaskGraph, of: GapsOf) {
    this.#of = of;
    this.#ready = new Float64Array(graph.tasks.length);
    this.#open = Uint32Array.from(graph.tasks, ({ after }) => after.length);
  }

  fill(order: readonly Task[]): { readonly order: Task[]; readonly makespan: number } {
    const queues = LANES.map((lane): Queue => {
      const own = order.filter((task) => task.lane === lane);
      const [first, later] = [0, 1].map((when) =>
        own.filter(({ id }) => this.#of.later[id] === when)
      );
      return { first, later, begun: 0 };
    });
    const result: Task[] = [];
    while (result.length < order.length) {
      let soonest = Infinity, of = queues[0], place = -1;
      for (const queue of queues) {
        const begin = this.#start(queue.first[queue.begun]);
        if (begin < soonest) [soonest, of, place] = [begin, queue, -1];
        const at = queue.later.findIndex((task) => this.#fits(task, begin));
        const time = this.#start(queue.later[at]);
        if (time < soonest) [soonest, of, place] = [time, queue, at];
      }
      const task = place < 0 ? of.first[of.begun++] : of.later.splice(place, 1)[0];
      this.#end(task, soonest + this.#of.seconds[task.id]);
      result.push(task);
    }
    return { order: result, makespan: Math.max(...Object.values(this.#free)) };
  }

  /** Whether it can run before a task of its lane that begins then. */
  #fits(task: Task, begin: number): boolean {
    const time = this.#start(task);
    if (time === Infinity || begin === Infinity) return time < begin;
    return task.lane === "compute" ? time < begin : time + this.#of.seconds[task.id] <= begin;
  }

  /** When all that it needs is done and its lane is free. */
  #start(task: Task | undefined): number {
    if (!task || this.#open[task.id] > 0) return Infinity;
    return Math.max(this.#ready[task.id], this.#free[task.lane]);
  }

  #end({ id, lane }: Task, time: number): void {
    this.#free[lane] = time;
    for (const after of this.#of.next[id]) {
      this.#open[after.id]--;
      this.#ready[after.id] = Math.max(this.#ready[after.id], time);
    }
  }
}

/**
 * Tasks that may come later than the order says, as nothing but others of them waits for them: reductions and sums of
 * what they bring, what a step does with gradients when all are there, and weight gradients.
 */
function deferrable(graph: TaskGraph, weightGrads: boolean): Uint8Array {
  const yes = new Uint8Array(graph.tasks.length).fill(1);
  for (let id = graph.tasks.length - 1; id >= 0; id--) {
    const task = graph.tasks[id];
    const sums = task.kind === "gate" &&
      task.after.some((before) => graph.tasks[before].kind === "allReduce");
    const may = task.kind === "allReduce" || task.pass === "step" || sums ||
      (weightGrads && task.kind === "expertWeightGrad");
    if (!may) yes[id] = 0;
    if (!yes[id]) { for (const before of task.after) yes[before] = 0; }
  }
  return yes;
}
