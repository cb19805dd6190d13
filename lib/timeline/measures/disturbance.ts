/** Whether something else held a run up. @module */
import { isCommunication, PACED_COLUMN, rows, type Subject } from "../table/columns.ts";
import { formatPercent, formatTime } from "../table/format.ts";
import { type Operation, type Operations, operationsOf } from "../table/operations.ts";
import { timelineOf } from "../table/subject.ts";
import { followPath } from "./critical_path.ts";
import { intendedMakespan } from "./intended.ts";

/** How far a paced run is from the times that it was paced to. */
export interface Disturbance {
  /** Nanoseconds that the run takes longer than its order would with paced times. */
  readonly lost: number;
  /** That as a part of the makespan. */
  readonly share: number;
  /** Nanoseconds that its order takes with paced times: the makespan without what was lost. */
  readonly intended: number;
  /** The largest ratio of a time to the paced one, of the tasks that lost most; 1 without `worst`. */
  readonly factor: number;
  /**
   * The task of that ratio, with its actual and paced time in nanoseconds; undefined where more was lost
   * between tasks than in them.
   */
  readonly worst?: {
    readonly name: string;
    readonly rank: number;
    readonly took: number;
    readonly paced: number;
  };
  /** Tasks on the critical path that lost most: together at least half of what all lost. */
  readonly tasks: number;
}

/** A run that loses less than this part of its makespan is as it was meant to be. */
const TOLERATED = 0.05;

/**
 * Time that a run takes longer than it would in the same order with each task as long as it was paced
 * to: the machine had something else to do, or is too slow for the pace. Undefined where that is less
 * than a twentieth of the makespan, and where nothing is paced: then there is nothing to hold it to.
 * A task that is late and holds nothing up does not count, nor does what the run makes up for later.
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
  const meant = pacedTimes(run);
  if (!meant) return undefined;
  const operations = operationsOf(run);
  const makespan = operations.end - operations.begin;
  const intended = intendedMakespan(operations, meant);
  const lost = makespan - intended;
  if (!(lost > TOLERATED * makespan)) return undefined;
  return { lost, share: lost / makespan, intended, ...late(operations, meant) };
}

/** Of the tasks on the critical path that took longer than meant, those that account for half of it. */
function late(
  operations: Operations,
  meant: (operation: Operation) => number,
): Pick<Disturbance, "factor" | "worst" | "tasks"> {
  const { steps } = followPath(operations);
  const gaps = steps.reduce((sum, { gap }) => sum + gap, 0);
  const overruns = steps.map(({ operation, begin, end }) => {
    const [took, paced] = [operation.end - operation.begun, meant(operation)];
    return { operation, took, paced, longer: paced > 0 ? Math.min(took - paced, end - begin) : 0 };
  }).filter(({ longer }) => longer > 0).toSorted((a, b) => b.longer - a.longer);
  const sum = overruns.reduce((total, { longer }) => total + longer, 0);
  if (gaps >= sum) return { factor: 1, tasks: 0 };
  let found = 0, tasks = 0;
  while (found < sum / 2) found += overruns[tasks++].longer;
  const { operation: { name, rank }, took, paced } = overruns.slice(0, tasks)
    .reduce((a, b) => b.took / b.paced > a.took / a.paced ? b : a);
  return { factor: took / paced, worst: { name, rank, took, paced }, tasks };
}

/** The same in a few words: `disturbed: tasks took up to 2.3x their paced time`. */
export function disturbedText({ worst, factor, share }: Disturbance): string {
  return worst
    ? `disturbed: tasks took up to ${factor.toFixed(1)}x their paced time`
    : `disturbed: tasks began late, ${formatPercent(share)} of the run was lost`;
}

/** The same in sentences, with what to do. */
export function disturbedSentence(
  { worst, factor, share, lost, intended, tasks }: Disturbance,
): string {
  const what = worst
    ? `${tasks === 1 ? "a task" : `${tasks} tasks`} of the critical path took up to ${
      factor.toFixed(1)
    }x the paced time (${worst.name} on rank ${worst.rank}: ${formatTime(worst.took)} instead of ${
      formatTime(worst.paced)
    })`
    : "tasks of the critical path began late";
  return `Disturbed: ${what}, and ${formatTime(lost)}, ${formatPercent(share)} of the run, were ` +
    `lost: its order takes ${
      formatTime(intended)
    } with the paced times. This machine had something else to do, or is too slow for the pace: measure again ` +
    "(repeats), or pace slower; nothing said of a schedule by this run is to be relied on.";
}

/** What an operation was to take: as long as it did where nothing paces it. Undefined without pace. */
function pacedTimes(run: Subject): ((operation: Operation) => number) | undefined {
  const timeline = timelineOf(run);
  const column = timeline.column(PACED_COLUMN);
  if (!column) return undefined;
  const kinds = timeline.column("kind")!;
  const at = (row: number) => Number(column.at(row)) || 0;
  let [paced, links] = [false, false];
  for (const row of rows(timeline)) {
    if (!(at(row) > 0)) continue;
    paced = true;
    links ||= isCommunication(kinds.at(row) as string);
  }
  if (!paced) return undefined;
  // among paced transfers, one of no time has nothing to send
  return ({ row, kind, begun, end }) =>
    at(row) > 0 ? at(row) : links && isCommunication(kind) ? 0 : end - begun;
}
