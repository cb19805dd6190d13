/**
 * The line below a Gantt chart: what of the run it does not show one by one.
 * @module
 */
import type { PathStep } from "../measures/critical_path.ts";
import { listNumbers, type RankGroup } from "./fold.ts";
import { formatPercent } from "../table/format.ts";
import { laneOrder } from "./layout.ts";
import { groupBy } from "../table/operations.ts";
import { kindStyle } from "./palette.ts";

/** Characters of a list of ranks that a caption has room for. */
const LONG = 40;

/** Text of the caption, "" when there is nothing to say. */
export function captionOf({ groups, shown, all, lanes, path, standIn, bars }: {
  groups: readonly RankGroup[];
  shown: readonly RankGroup[];
  all: number;
  lanes: ReadonlySet<string>;
  path: readonly PathStep[] | undefined;
  standIn: ReadonlyMap<number, number>;
  bars: { drawn: number; all: number };
}): string {
  const parts: string[] = [];
  if (bars.drawn < bars.all) {
    parts.push(
      `${bars.drawn} of ${bars.all} tasks drawn, of very short ones the first in each pixel`,
    );
  }
  const count = shown.reduce((sum, { ranks }) => sum + ranks.length, 0);
  const folded = shown.filter(({ ranks }) => ranks.length > 1);
  if (count < all) parts.push(`${count} of ${all} ranks shown`);
  if (folded.length > 0) {
    const lists = folded.map(({ ranks }) => `{${listNumbers(ranks)}}`).join(" ");
    // rows are labelled with their ranks; a long list would push what follows out of the picture
    const firsts = listNumbers(shown.map(({ rank }) => rank));
    const which = groups.length === 1
      ? `all ${all} ranks are equal, one is shown`
      : lists.length <= 60
      ? `equal ranks shown once: ${lists}`
      : `${count} ranks in ${shown.length} groups of equal ones, ${
        firsts.length <= LONG ? `the first of each: ${firsts}` : "each shown once"
      }`;
    parts.push(which);
  }
  if (path) {
    const missed = path.filter(({ operation }) => !standIn.has(operation.rank)).length;
    parts.push(
      `critical path: ${sharesOf(path)}${missed > 0 ? `; ${missed} steps not shown` : ""}`,
    );
  }
  if (shown.length > 16) parts.push(`rows of a rank: ${laneOrder(lanes).join(", ")}`);
  return parts.join(" · ");
}

/** Shares of the critical path by kind, largest first: `all-to-all 54 %, expert 32 %`. */
function sharesOf(path: readonly PathStep[]): string {
  const sums = [...groupBy(path, ({ operation }) => operation.kind)].map(([kind, steps]) => ({
    name: kindStyle(kind).name,
    ns: steps.reduce((sum, { begin, end }) => sum + end - begin, 0),
  }));
  const gap = path.reduce((sum, step) => sum + step.gap, 0);
  if (gap > 0) sums.push({ name: "gaps", ns: gap });
  const whole = sums.reduce((sum, { ns }) => sum + ns, 0);
  return sums.toSorted((a, b) => b.ns - a.ns).slice(0, 3)
    .map(({ name, ns }) => `${name} ${formatPercent(ns / whole)}`).join(", ");
}
