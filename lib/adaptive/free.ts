/** Operations for which a processor was free. @module */
import type { ProcessorsFit } from "../profile/mod.ts";
import type { Observed } from "./observe.ts";

/** When processors were free in a run. */
export interface FreeProcessors {
  /** Whether one was free from when all was there that an operation needs until it began, or posted. */
  before(one: Observed): boolean;
  /** Whether all lanes that worked or waited for one were few enough to run at full speed, from then until it ended. */
  throughout(one: Observed): boolean;
}

/** Processors on which lanes take turns. */
export type TurnsFit = ProcessorsFit & Required<Pick<ProcessorsFit, "turns">>;

/**
 * When there were fewer lanes at work than processors: those that worked at the beginning of a stretch of time and those
 * that began within it, each time of the ranks that compute on the same.
 */
export function freeProcessors(run: readonly Observed[], processors: TurnsFit): FreeProcessors {
  const groupOf = ({ rank }: Observed) => processors.of?.[rank] ?? 0;
  const groups = new Map<number, FreeProcessors>();
  for (const [group, operations] of Map.groupBy(run, groupOf)) {
    groups.set(group, freeAmong(operations, processors));
  }
  return {
    before: (one) => groups.get(groupOf(one))!.before(one),
    throughout: (one) => groups.get(groupOf(one))!.throughout(one),
  };
}

function freeAmong(
  run: readonly Observed[],
  { capacity, turns: { count, transfers } }: TurnsFit,
): FreeProcessors {
  const working = run.filter(({ task, begun, end }) =>
    end > begun && (!task.transfers || transfers)
  );
  const begun = Float64Array.from(working, (one) => one.begun).sort();
  const ended = Float64Array.from(working, (one) => one.end).sort();
  const between = (from: number, to: number) => below(begun, to) - below(ended, from, true);
  const start = (one: Observed) => one.begun - one.wait;
  return {
    before: (one) => between(start(one) - one.launch, start(one)) < count,
    throughout: (one) => between(start(one) - one.launch, one.end) <= capacity,
  };
}

/** How many of rising numbers are less than a value, or no more than it. */
function below(rising: Float64Array, value: number, orEqual = false): number {
  let [low, high] = [0, rising.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle] < value || (orEqual && rising[middle] === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}
