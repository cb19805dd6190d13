/** The chart of candidates. @module */
import { heading } from "../timeline/chart/heading.ts";
import { notes } from "../timeline/chart/notes.ts";
import { PAGE } from "../timeline/chart/palette.ts";
import { loadPlot, makeDocument } from "../timeline/chart/plot.ts";
import { svgText } from "../timeline/chart/theme.ts";

/** Candidates of one pass, in order. */
export interface CandidateRows {
  readonly pass: string;
  readonly rows: readonly {
    readonly name: string;
    readonly predicted: number;
    readonly bound: number;
    readonly measured: readonly number[];
    readonly chosen: boolean;
  }[];
}

const WIDTH = 860;
const ROW = 20;
const BLUE = "#0072b2";
const RED = "#d55e00";

/**
 * SVG text: one row a candidate, milliseconds to the right.
 * @param facts lines below it: what it is of.
 */
export async function candidatesSvg(
  passes: readonly CandidateRows[],
  facts: readonly string[],
): Promise<string> {
  const Plot = await loadPlot();
  const document = await makeDocument();
  const rows = passes.flatMap(({ pass, rows }) =>
    rows.map(({ name, predicted, bound, ...of }) => ({
      name: `${pass}: ${name}`,
      predicted: 1e3 * predicted,
      bound: 1e3 * bound,
      chosen: of.chosen,
      measured: of.measured.map((seconds) => 1e3 * seconds),
    }))
  );
  const points = rows.flatMap(({ name, measured, chosen }) =>
    measured.map((ms) => ({ name, ms, chosen }))
  );
  const below = notes(facts, { width: WIDTH, dx: -330, below: 40 });
  const element = Plot.plot({
    // deno-lint-ignore no-explicit-any
    document: document as any,
    width: WIDTH,
    height: 100 + ROW * rows.length + below.room,
    marginTop: 48,
    marginLeft: 340,
    marginBottom: 44 + below.room,
    marginRight: 24,
    style: { fontFamily: "system-ui, sans-serif", color: PAGE.ink },
    ariaLabel: "Candidates",
    x: {
      zero: true,
      nice: true,
      grid: true,
      label: "time (ms)",
      labelAnchor: "center",
      labelArrow: "none",
      labelOffset: 36,
    },
    y: { domain: rows.map(({ name }) => name), label: null, tickSize: 0 },
    marks: [
      Plot.ruleY(rows, { x1: "bound", x2: "predicted", y: "name", stroke: PAGE.faint }),
      Plot.tickX(rows, { x: "bound", y: "name", stroke: PAGE.faint, strokeWidth: 2 }),
      Plot.dot(rows, { x: "predicted", y: "name", r: 4, stroke: BLUE, strokeWidth: 1.5 }),
      Plot.dot(points.filter(({ chosen }) => !chosen), {
        x: "ms",
        y: "name",
        r: 2.5,
        fill: BLUE,
        fillOpacity: 0.6,
      }),
      Plot.dot(points.filter(({ chosen }) => chosen), { x: "ms", y: "name", r: 3, fill: RED }),
      ...heading(Plot, {
        title: "Candidates: what was predicted, what was measured",
        subtitle: "tick: bound of its tasks; circle: predicted; dots: measured, of the choice red",
        dx: -330,
        dy: [-38, -20],
      }),
      ...below.marks(Plot),
    ],
  });
  return svgText(element, { document });
}
