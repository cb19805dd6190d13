/** The chart of errors by kind. @module */
import { BLUE, PAGE, RED } from "../timeline/chart/palette.ts";
import { rowChart } from "../timeline/chart/row_chart.ts";

interface Interval {
  readonly what: string;
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

const WIDTH = 760;
const ROW = 26;

/**
 * SVG text: one row for each kind with all errors, their interval of nine of ten and the median.
 * @param facts lines below it: what it is of.
 */
export function errorsSvg(
  kinds: readonly Interval[],
  points: readonly { readonly what: string; readonly error: number }[],
  facts: readonly string[],
): Promise<string> {
  const percent = (value: number) => 100 * value;
  const names = kinds.map(({ what }) => what);
  const shown = kinds.map(({ what, ...of }) => ({
    what,
    median: percent(of.median),
    least: percent(of.least),
    most: percent(of.most),
  }));
  const reach = Math.max(2, ...shown.flatMap(({ least, most }) => [-least, most])) * 1.15;
  const inside = points.map(({ what, error }) => ({ what, error: percent(error) }))
    .filter(({ error }) => Math.abs(error) <= reach);
  return rowChart({
    title: "Predicted and measured, by kind of task",
    subtitle: "each tick a layer under one choice; bar: nine of ten; dot: median",
    ariaLabel: "Errors of predictions",
    names,
    x: { domain: [-reach, reach], label: "predicted over measured, less 1 (%)" },
    marks: (Plot) => [
      Plot.ruleX([0], { stroke: PAGE.ink }),
      Plot.tickX(inside, { x: "error", y: "what", stroke: BLUE, strokeOpacity: 0.25 }),
      Plot.ruleY(shown, { x1: "least", x2: "most", y: "what", stroke: BLUE, strokeWidth: 2 }),
      Plot.dot(shown, { x: "median", y: "what", fill: RED, r: 4 }),
    ],
    facts,
    width: WIDTH,
    height: 96 + ROW * names.length,
    room: 150,
  });
}
