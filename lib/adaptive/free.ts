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

/**
 * When there were fewer lanes at work than processors: those that worked at the beginning of a stretch of time and those
 * that began within it.
 */
export function freeProcessors(
  run: readonly Observed[],
  capacity: number,
  { count, transfers }: NonNullable<ProcessorsFit["turns"]>,
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
