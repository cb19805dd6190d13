/** The chart of errors by kind. @module */
import { heading } from "../timeline/chart/heading.ts";
import { notes } from "../timeline/chart/notes.ts";
import { PAGE } from "../timeline/chart/palette.ts";
import { loadPlot, makeDocument } from "../timeline/chart/plot.ts";
import { svgText } from "../timeline/chart/theme.ts";

interface Interval {
  readonly what: string;
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

const WIDTH = 760;
const ROW = 26;
const BLUE = "#0072b2";
const RED = "#d55e00";

/**
 * SVG text: one row for each kind with all errors, their interval of nine of ten and the median.
 * @param facts lines below it: what it is of.
 */
export async function errorsSvg(
  kinds: readonly Interval[],
  points: readonly { readonly what: string; readonly error: number }[],
  facts: readonly string[],
): Promise<string> {
  const Plot = await loadPlot();
  const document = await makeDocument();
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
  const below = notes(facts, { width: WIDTH, dx: -140, below: 40 });
  const element = Plot.plot({
    // deno-lint-ignore no-explicit-any
    document: document as any,
    width: WIDTH,
    height: 96 + ROW * names.length + below.room,
    marginTop: 48,
    marginLeft: 150,
    marginBottom: 44 + below.room,
    marginRight: 24,
    style: { fontFamily: "system-ui, sans-serif", color: PAGE.ink },
    ariaLabel: "Errors of predictions",
    x: {
      domain: [-reach, reach],
      grid: true,
      label: "predicted over measured, less 1 (%)",
      labelAnchor: "center",
      labelArrow: "none",
      labelOffset: 36,
    },
    y: { domain: names, label: null, tickSize: 0 },
    marks: [
      Plot.ruleX([0], { stroke: PAGE.ink }),
      Plot.tickX(inside, { x: "error", y: "what", stroke: BLUE, strokeOpacity: 0.25 }),
      Plot.ruleY(shown, { x1: "least", x2: "most", y: "what", stroke: BLUE, strokeWidth: 2 }),
      Plot.dot(shown, { x: "median", y: "what", fill: RED, r: 4 }),
      ...heading(Plot, {
        title: "Predicted and measured, by kind of task",
        subtitle: "each tick a layer under one choice; bar: nine of ten; dot: median",
        dx: -140,
        dy: [-38, -20],
      }),
      ...below.marks(Plot),
    ],
  });
  return svgText(element, { document });
}
