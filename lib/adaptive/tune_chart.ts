/** The chart of candidates. @module */
import { BLUE, PAGE, RED } from "../timeline/chart/palette.ts";
import { rowChart } from "../timeline/chart/row_chart.ts";

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

/**
 * SVG text: one row a candidate, milliseconds to the right.
 * @param facts lines below it: what it is of.
 */
export function candidatesSvg(
  passes: readonly CandidateRows[],
  facts: readonly string[],
): Promise<string> {
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
  return rowChart({
    title: "Candidates: what was predicted, what was measured",
    subtitle: "tick: bound of its tasks; circle: predicted; dots: measured, of the choice red",
    ariaLabel: "Candidates",
    names: rows.map(({ name }) => name),
    x: { zero: true, nice: true, label: "time (ms)" },
    marks: (Plot) => [
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
    ],
    facts,
    width: WIDTH,
    height: 100 + ROW * rows.length,
    room: 340,
  });
}
