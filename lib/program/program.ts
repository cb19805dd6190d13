/**
 * From a graph and a scheduler's order to a Program: checked, so that it cannot deadlock.
 * @module
 */
import { LANES, SchemoeError, type Task, type TaskGraph } from "../types.ts";
import type { Program } from "../engine.ts";
import type { Schedule } from "../schedulers/types.ts";
import { quoted } from "../words.ts";

/**
 * Checks an order against its graph and works out the waits of each position.
 *
 * A topological order cannot deadlock on any number of
 * ranks, because all ranks and lanes run subsequences of one total order.
 *
 * @throws {SchemoeError} naming the first task that is missing, double, foreign or too early.
 */
export function buildProgram(graph: TaskGraph, schedule: Schedule, scheduler: string): Program {
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot run the order of scheduler "${scheduler}": ${problem}`);
  };
  const { order, after: extra } = parts(schedule);
  if (!Array.isArray(order as unknown)) {
    const async = order instanceof Promise ? "; order is a plain function, not an async one" : "";
    fail(`it is ${quoted(order)}, not an array of tasks${async}`);
  }
  const pairs = Array.isArray(extra as unknown) && extra.every((edge) => Array.isArray(edge));
  if (!pairs) fail("its edges are not an array of pairs of tasks");
  const position = positions(graph, order, fail);
  const dependencies: number[][] = order.map((task) => task.after.map((id) => position[id]));
  for (const [at, task] of order.entries()) {
    const late = task.after.find((id) => position[id] >= at);
    if (late !== undefined) {
      fail(
        `task ${task.name} at position ${at} is too early, it depends on ${
          graph.tasks[late].name
        }` +
          ` at position ${position[late]}${summed(task, graph.tasks[late])}`,
      );
    }
  }
  for (const [before, after] of extra) {
    for (const task of [before, after]) {
      if (!task || graph.tasks[task.id] !== task) {
        fail(`an edge names ${task?.name}, which is not in the graph`);
      }
    }
    if (position[before.id] >= position[after.id]) {
      fail(`its edge ${before.name} -> ${after.name} points backwards in the order`);
    }
    dependencies[position[after.id]].push(position[before.id]);
  }
  const waits = dependencies.map((list, at) => reduce(order, list, at));
  // a copy: whoever made the order may go on to change it
  return { graph, scheduler, order: [...order], waits, dependencies };
}

/** Why one weight gradient depends on another, and the way out. */
const summed = ({ kind }: Task, before: Task): string =>
  kind === "expertWeightGrad" && before.kind === kind
    ? "; weight gradients are summed in chunk order, unless the scheduler says reassociate: true"
    : "";

/** The order and edges of a value that may be no schedule at all. */
function parts(schedule: Schedule): Exclude<Schedule, readonly Task[]> {
  if (Object(schedule) === schedule && "order" in schedule) return schedule;
  return { order: schedule as readonly Task[], after: [] };
}

function positions(
  graph: TaskGraph,
  order: readonly Task[],
  fail: (problem: string) => never,
): Int32Array {
  const position = new Int32Array(graph.tasks.length).fill(-1);
  for (const [at, task] of order.entries()) {
    if (!task || graph.tasks[task.id] !== task) {
      fail(`position ${at} holds ${task?.name ?? task}, which is not a task of the graph`);
    }
    if (position[task.id] >= 0) {
      fail(`task ${task.name} is double, at positions ${position[task.id]} and ${at}`);
    }
    position[task.id] = at;
  }
  const missing = graph.tasks.find((task) => position[task.id] < 0);
  if (missing) fail(`task ${missing.name} is missing`);
  return position;
}

/** Keeps the latest position of each lane but the task's own, whose order already implies it. */
function reduce(order: readonly Task[], list: readonly number[], at: number): number[] {
  const latest: number[] = [];
  for (const lane of LANES) {
    if (lane === order[at].lane) continue;
    let best = -1;
    for (const p of list) if (p > best && order[p].lane === lane) best = p;
    if (best >= 0) latest.push(best);
  }
  return latest;
}
