/** Any scheduler on a stack of layers. @module */
import { segmentsOf } from "../graph/mod.ts";
import type { Costs } from "../costs/types.ts";
import { type Lane, LANES, SchemoeError, type Task, type TaskGraph } from "../types.ts";
import type { Scheduler } from "./types.ts";

const known = new WeakMap<Scheduler, Scheduler>();

/**
 * The order of a scheduler for each layer, one layer after another, with what nothing waits for put into
 * gaps of any layer after it: weight gradients (as Jiang et al., "Lancet", MLSys'24) and reductions of
 * gradients, which give way to all-to-alls (as Li et al., "Lina", ATC'23). A scheduler that adds edges, as
 * `sequential` does, keeps its order, and each layer waits for all of the one before.
 *
 * @throws {SchemoeError} (when it orders) for a graph that is no stack.
 */
export function acrossLayers(scheduler: Scheduler): Scheduler {
  let stacked = known.get(scheduler);
  if (!stacked) {
    stacked = {
      name: scheduler.name,
      ...(scheduler.reassociate ? { reassociate: true } : {}),
      order: (graph, costs) => orderStack(scheduler, graph, costs),
    };
    known.set(scheduler, stacked);
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

/** Tasks that may come later than the order says, as nothing but others of them waits for them. */
function deferrable(graph: TaskGraph): Uint8Array {
  const yes = new Uint8Array(graph.tasks.length).fill(1);
  const reduced = new Uint8Array(graph.tasks.length);
  for (const task of graph.tasks) {
    const of = task.after.some((id) => graph.tasks[id].kind === "allReduce");
    const last = task.kind === "allReduce" || task.kind === "expertWeightGrad";
    if (last || (of && task.kind === "gate")) reduced[task.id] = 1;
  }
  for (let id = graph.tasks.length - 1; id >= 0; id--) {
    if (!reduced[id]) yes[id] = 0;
    if (!yes[id]) { for (const before of graph.tasks[id].after) yes[before] = 0; }
  }
  return yes;
}

/**
 * Simulates the order, each lane in turn, and lets a deferrable task in where its lane would be
 * idle and it is done before the lane's next task could begin, as far as that is known.
 */
function fillGaps(graph: TaskGraph, order: readonly Task[], costs: Costs): Task[] {
  const later = deferrable(graph);
  const done = new Float64Array(graph.tasks.length).fill(Infinity);
  const free: Record<Lane, number> = { compute: 0, intra: 0, inter: 0 };
  const queues = LANES.map((lane) => ({
    first: order.filter((task) => task.lane === lane && !later[task.id]),
    then: order.filter((task) => task.lane === lane && later[task.id]),
  }));
  const start = (task: Task | undefined) =>
    task ? task.after.reduce((time, id) => Math.max(time, done[id]), free[task.lane]) : Infinity;
  const result: Task[] = [];
  while (result.length < order.length) {
    let best: { time: number; take: () => Task } | undefined;
    for (const { first, then } of queues) {
      const begin = start(first[0]);
      if (begin < Infinity && (!best || begin < best.time)) {
        best = { time: begin, take: () => first.shift()! };
      }
      for (const [i, task] of then.entries()) {
        const time = start(task);
        if (time === Infinity) continue;
        const fits = begin === Infinity || time + costs.seconds(task) <= begin;
        if (fits && (!best || time < best.time)) best = { time, take: () => then.splice(i, 1)[0] };
        if (fits) break;
      }
    }
    const task = best!.take();
    done[task.id] = free[task.lane] = best!.time + costs.seconds(task);
    result.push(task);
  }
  return result;
}
