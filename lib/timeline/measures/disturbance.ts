/** Whether something else held a run up. @module */
import { rows, type Subject } from "../table/columns.ts";
import { formatPercent, formatTime } from "../table/format.ts";
import { type Operation, operationsOf } from "../table/operations.ts";
import { timelineOf } from "../table/subject.ts";
import { followPath } from "./critical_path.ts";

/** How far a paced run is from the times that it was paced to. */
export interface Disturbance {
  /** Nanoseconds of the critical path by which its tasks took longer, and passed between them. */
  readonly lost: number;
  /** That as a part of the makespan. */
  readonly share: number;
  /** The largest ratio of a time to the paced one, of tasks on the critical path that matter. */
  readonly factor: number;
  /** The task of that ratio, with its actual and paced time in nanoseconds. */
  readonly worst?: {
    readonly name: string;
    readonly rank: number;
    readonly took: number;
    readonly paced: number;
  };
  /** Tasks on the critical path that took longer. */
  readonly tasks: number;
}

/** A run that loses less than this part of its makespan is as it was meant to be. */
const TOLERATED = 0.05;
/** Of what takes less than this part of the makespan longer, nobody is told. */
const WORTH = 0.005;

/**
 * Time lost on a run's critical path because tasks took longer than they were paced to, or began
 * late: the machine had something else to do, or is too slow for the pace. Undefined where less than a
 * twentieth of the makespan was lost, and where nothing is paced: then there is nothing to hold it to.
 *
 * ```ts
 * import { createLayer, disturbance, openEngine } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 2 });
 * console.assert(disturbance(await layer.forward()) === undefined);
 * ```
 * @throws {SchemoeError} when a column is missing or the timeline holds several runs.
 */
export function disturbance(run: Subject): Disturbance | undefined {
  const paced = pacedTimes(run);
  if (!paced) return undefined;
  const operations = operationsOf(run);
  const makespan = operations.end - operations.begin;
  const over = ({ row, begun, end }: Operation) => {
    const meant = paced(row);
    return meant > 0 ? Math.max(0, end - begun - meant) : 0;
  };
  let lost = 0, tasks = 0, factor = 1;
  let worst: Disturbance["worst"];
  for (const { operation, begin, end, gap } of followPath(operations).steps) {
    const longer = Math.min(over(operation), end - begin);
    lost += longer + gap;
    if (longer < WORTH * makespan) continue;
    tasks++;
    const [took, meant] = [operation.end - operation.begun, paced(operation.row)];
    if (took / meant <= factor) continue;
    factor = took / meant;
    worst = { name: operation.name, rank: operation.rank, took, paced: meant };
  }
  if (!(lost > TOLERATED * makespan)) return undefined;
  return { lost, share: lost / makespan, factor, ...(worst ? { worst } : {}), tasks };
}

/** The same in a few words: `disturbed: tasks took up to 2.3x their paced time`. */
export function disturbedText({ worst, factor, share }: Disturbance): string {
  return worst
    ? `disturbed: tasks took up to ${factor.toFixed(1)}x their paced time`
    : `disturbed: tasks began late, ${formatPercent(share)} of the run was lost`;
}

/** The same in sentences, with what to do. */
export function disturbedSentence({ worst, factor, share, lost, tasks }: Disturbance): string {
  const what = worst
    ? `${tasks === 1 ? "a task" : `${tasks} tasks`} of the critical path took up to ${
      factor.toFixed(1)
    }x the paced time (${worst.name} on rank ${worst.rank}: ${formatTime(worst.took)} instead of ${
      formatTime(worst.paced)
    })`
    : "tasks of the critical path began late";
  return `Disturbed: ${what}, and ${formatTime(lost)}, ${formatPercent(share)} of the run, were ` +
    "lost. This machine had something else to do, or is too slow for the pace: measure again " +
    "(repeats), or pace slower; nothing said of a schedule by this run is to be relied on.";
}

/** Paced times by row, undefined where nothing is paced. */
function pacedTimes(run: Subject): ((row: number) => number) | undefined {
  const timeline = timelineOf(run);
  const column = timeline.column("paced_ns");
  if (!column) return undefined;
  const at = (row: number) => Number(column.at(row)) || 0;
  for (const row of rows(timeline)) if (at(row) > 0) return at;
  return undefined;
}
