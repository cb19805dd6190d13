/** Lists of runs as the last value of a cell. @module */
import { notebook } from "../../notebook.ts";
import { compare } from "../measures/compare.ts";
import { report } from "../report/report.ts";
import type { Timed } from "../table/subject.ts";
import type { MediaBundle } from "./display.ts";

const DISPLAY = Symbol.for("Jupyter.display");
/** Runs whose charts are all drawn; of more there is a table, and the charts that matter. */
const MOST_CHARTS = 12;

/**
 * In a notebook, lets lists show their runs, as `compare` and for many as `report` do: `[first, best]`.
 *
 * Deno's kernel asks a value for its pictures and knows no other hook, so that lists must answer. Those
 * of anything else have no answer, as before.
 *
 * @param isRun what a list must consist of.
 */
export function showLists(isRun: (value: unknown) => value is Timed, lists = hooked()): void {
  if (!lists || Object.hasOwn(lists, DISPLAY)) return;
  Object.defineProperty(lists, DISPLAY, {
    configurable: true,
    get(this: unknown) {
      return shower(this, isRun);
    },
  });
}

function shower(
  list: unknown,
  isRun: (value: unknown) => value is Timed,
): (() => Promise<MediaBundle>) | undefined {
  if (!Array.isArray(list) || list.length === 0 || !list.every(isRun)) return undefined;
  return () => (list.length > MOST_CHARTS ? report(list) : compare(list))[DISPLAY]();
}

/** Where lists take it from: in a notebook from their prototype, elsewhere from nowhere. */
const hooked = (): object | undefined => notebook() ? Array.prototype : undefined;
