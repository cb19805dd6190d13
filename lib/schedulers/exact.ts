import {
  aFunction,
  aGraph,
  anything,
  expect,
  maybe,
  options,
  someCosts,
} from "../arguments/mod.ts";
import { lowerBound } from "../costs/mod.ts";
import type { Costs } from "../costs/types.ts";
import type { Scheduler } from "./types.ts";
import { SchemoeError, type Task, type TaskGraph } from "../types.ts";
import { byStart, evaluate } from "./exact/evaluate.ts";
import { bestKnown, type KnownOrder } from "./exact/known.ts";
import { makeProblem, type Problem } from "./exact/problem.ts";
import { search } from "./exact/search.ts";
import { smoothed } from "./exact/smooth.ts";
import { quoted } from "../words.ts";

const EXACT_SCHEDULE_OPTIONS = options({ timeLimit: anything, onGap: maybe(aFunction) });

/** Seconds that a search takes at most when nothing is said. */
const TIME_LIMIT = 1;
/** Share of it after which no further rule is tried. */
const KNOWN_SHARE = 0.5;
/** Share of it after which an averaged instance is left, where costs differ between ranks or chunks. */
const SMOOTH_SHARE = 0.25;

/** Limits of the search, and a callback for its results. */
export interface ExactOptions {
  /** Seconds; default 1. `Infinity` searches until the order is proven optimal. */
  readonly timeLimit?: number;
  /** Called with the result of each search, whose `gap` is not yet proven away. */
  readonly onGap?: (found: ExactSchedule) => void;
}

/** The best order found and how good it is. */
export interface ExactSchedule {
  /** All tasks of the graph, in the order in which they run. */
  readonly order: readonly Task[];
  /** Makespan of the order by the costs. */
  readonly seconds: number;
  /** Seconds below which no order can come. */
  readonly bound: number;
  /** `seconds / bound - 1`: 0 when no order can be shorter by these costs. */
  readonly gap: number;
  /**
   * Whether the order is optimal: no gap, and costs that say what an order takes, which those of tasks
   * alone do not where overlapping ones slow each other down (contention, a shared network card).
   */
  readonly proven: boolean;
  /** Partial schedules that were looked at. */
  readonly states: number;
}

/**
 * The shortest order of a graph for given costs, or with a time limit the best found and its proven gap.
 *
 * All orders are searched, including ones that leave a lane idle on purpose, as partial schedules that
 * differ in how many chunks have passed each stage: chunks with equal tasks and costs are
 * interchangeable, and each size of uneven chunks is counted apart. Of two partial schedules with the
 * same tasks, one that is nowhere later makes the other needless; bounds cut off what cannot become
 * shorter than the best order known. If no rank is slowest at everything, all are simulated together, a
 * phase beginning when its peers have posted theirs. Where ranks of unequal costs share processors, the
 * order is the best one for the slowest of each task, and not proven; likewise where tasks that overlap
 * slow each other down, which costs of tasks alone leave out.
 *
 * ```ts
 * import { exactSchedule, topology } from "@schemoe/lab";
 * import { GraphBuilder } from "@schemoe/lab/graph";
 * import { modelCosts } from "@schemoe/lab/costs";
 * const world = topology({ nodes: 1, ranksPerNode: 1 });
 * const g = new GraphBuilder(world, "forward", 1);
 * g.add({ kind: "opaque", label: "work", chunk: 0, stage: 0, after: [], flops: 1e9 });
 * console.assert(exactSchedule(g.build({}), modelCosts(world)).proven);
 * ```
 * @throws {SchemoeError} naming a task whose cost is missing or negative, or a time limit not above 0.
 */
export function exactSchedule(
  graph: TaskGraph,
  costs: Costs,
  options: ExactOptions = {},
): ExactSchedule {
  expect("exactSchedule", "options", options, EXACT_SCHEDULE_OPTIONS);
  expect("exactSchedule", "graph", graph, aGraph);
  expect("exactSchedule", "costs", costs, someCosts);
  const { timeLimit = TIME_LIMIT, onGap } = options;
  if (!(typeof timeLimit === "number" && timeLimit > 0)) {
    throw new SchemoeError(
      `Cannot search: timeLimit must be a number of seconds above 0, got ${quoted(timeLimit)}`,
    );
  }
  const begin = performance.now();
  const within = (share: number) => () => performance.now() >= begin + 1000 * share * timeLimit;
  const problem = makeProblem(graph, costs);
  const floor = lowerBound(graph, costs).seconds;
  const known = bestKnown(problem, costs, { bound: floor, expired: within(KNOWN_SHARE) });
  const start = better(known, nearby(problem, costs, within(SMOOTH_SHARE)));
  const found = search(problem, { ...start, bound: floor }, within(1));
  const times = evaluate(problem, found.order)!;
  // unequal ranks on shared processors may be faster than the slowest of each task, which was searched
  const bound = Math.min(problem.faithful ? found.bound : floor, times.seconds);
  const gap = times.seconds > bound * (1 + 1e-9) ? times.seconds / bound - 1 : 0;
  const result = {
    order: byStart(found.order, times).map((id) => graph.tasks[id]),
    seconds: times.seconds,
    bound,
    gap,
    proven: problem.faithful && gap === 0,
    states: found.states,
  };
  onGap?.(result);
  return result;
}

/** The best order of the averaged instance, as an order of the given one, where averaging simplifies it. */
function nearby(problem: Problem, costs: Costs, expired: () => boolean): KnownOrder | undefined {
  const { graph, groups, ranks } = problem;
  const even = makeProblem(graph, smoothed(graph, costs));
  if (ranks === 1 && even.groups.length === groups.length) return undefined;
  const start = bestKnown(even, costs, { bound: 0, expired });
  const { order } = search(even, { ...start, bound: 0 }, expired);
  return { order, seconds: evaluate(problem, order)!.seconds };
}

const better = (a: KnownOrder, b: KnownOrder | undefined): KnownOrder =>
  b && b.seconds < a.seconds ? b : a;

/**
 * The scheduler of {@linkcode exactSchedule} with options of its own.
 *
 * ```ts
 * import { createLayer, exactWith, openEngine } from "@schemoe/lab";
 * const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 });
 * const run = await layer.forward({ scheduler: exactWith({ timeLimit: 2 }), chunks: 3 });
 * console.assert(Math.abs(run.makespan / run.bound! - 1) < 0.5);
 * ```
 */
export function exactWith(options: ExactOptions): Scheduler {
  expect("exactWith", "options", options, EXACT_SCHEDULE_OPTIONS);
  return { name: "exact", order: (graph, costs) => exactSchedule(graph, costs, options).order };
}

/** The shortest order there is, searched for at most a second; see {@linkcode exactSchedule}. */
export const exact: Scheduler = exactWith({});
