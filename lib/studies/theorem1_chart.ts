/** The chart of losses of Theorem 1's order. @module */
import { heading } from "../timeline/chart/heading.ts";
import { CURVES, PAGE } from "../timeline/chart/palette.ts";
import { loadPlot, makeDocument } from "../timeline/chart/plot.ts";
import { svgText, type Theme } from "../timeline/chart/theme.ts";

/** One dot. */
export interface LossPoint {
  readonly chunks: number;
  readonly times: { readonly A1: number; readonly A2: number };
  readonly ratio: number;
}

/** Ratios of A2 to A1 beyond it are drawn at it. */
const WIDEST = 16;

/** SVG text of a scatter plot: loss over A2 / A1, one picture for each number of chunks. */
export async function lossSvg(
  title: string,
  points: readonly LossPoint[],
  { theme = "auto" }: { readonly theme?: Theme } = {},
): Promise<string> {
  const Plot = await loadPlot();
  const document = await makeDocument();
  const numbers = [...new Set(points.map(({ chunks }) => chunks))];
  const names = numbers.map((chunks) => `${chunks} chunks`);
  const beyond = points.some(({ times: { A1, A2 } }) => A2 > WIDEST * A1 || A1 > WIDEST * A2);
  const rows = points.map(({ chunks, times, ratio }) => ({
    name: `${chunks} chunks`,
    x: Math.min(WIDEST, Math.max(1 / WIDEST, times.A2 / times.A1)),
    y: ratio,
  }));
  const element = Plot.plot({
    // Plot's types want a browser's Document and use but createElementNS and documentElement
    // deno-lint-ignore no-explicit-any
    document: document as any,
    width: 220 * numbers.length + 80,
    height: 320,
    marginTop: 76,
    marginLeft: 60,
    marginBottom: 48,
    marginRight: 24,
    style: { fontFamily: "system-ui, sans-serif", color: PAGE.ink },
    ariaLabel: "Losses",
    fx: { domain: names, label: null, padding: 0.16 },
    x: {
      type: "log",
      base: 2,
      domain: [1 / WIDEST, WIDEST],
      label: `A2 / A1${beyond ? `; what is beyond 1/${WIDEST} or ${WIDEST} is drawn there` : ""}`,
      labelAnchor: "center",
      labelArrow: "none",
      ticks: [1 / 16, 1 / 4, 1, 4, 16],
      tickFormat: (value: number) => value < 1 ? `1/${Math.round(1 / value)}` : String(value),
    },
    y: {
      label: null,
      grid: true,
      domain: [1, rows.reduce((most, { y }) => Math.max(most, y), 1.05)],
    },
    marks: [
      Plot.ruleY([1], { stroke: PAGE.faint }),
      Plot.dot(rows, {
        fx: "name",
        x: "x",
        y: "y",
        r: 2.5,
        fillOpacity: 0.7,
        fill: (row: { name: string }) => CURVES[names.indexOf(row.name) % CURVES.length],
      }),
      ...heading(Plot, {
        title,
        subtitle: "makespan of Theorem 1 (optSche) over the best (exact); dots: instances",
        dx: -50,
        dy: [-48, -30],
        facet: "super",
      }),
    ],
  });
  return svgText(element, { document, theme });
}
