/** The chart of a what-if. @module */
import { heading, key } from "../timeline/chart/heading.ts";
import { notes } from "../timeline/chart/notes.ts";
import { CURVES, PAGE } from "../timeline/chart/palette.ts";
import { loadPlot, makeDocument } from "../timeline/chart/plot.ts";
import { svgText, type Theme } from "../timeline/chart/theme.ts";

/** Lines and axes of the chart. */
export interface CurveChart {
  readonly title: string;
  readonly x: {
    readonly label: string;
    readonly values: readonly (number | string)[];
    /** A value in words; default as it is. */
    readonly text?: (value: number) => string;
  };
  readonly y: { readonly label: string };
  /** The y axis begins at 0. */
  readonly zero: boolean;
  /** Logarithmic axes. */
  readonly logarithmic: { readonly x: boolean; readonly y: boolean };
  readonly curves: readonly { readonly name: string; readonly y: readonly number[] }[];
  /** Points at which curves cross. */
  readonly marks: readonly { readonly x: number; readonly y: number }[];
  /** Lines below it: what it is of. */
  readonly notes?: readonly string[];
}

/** For names of a colour that was used before, and for a curve that lies on others, which are seen through it. */
const DASHES = [undefined, "7 7", "2 5"];
/** Part of the height of the chart within which two curves look the same. */
const SAME = 0.006;
/** Values that are all written below their tick. */
const FEW = 8;
const WIDTH = 760;
const HEIGHT = 380;
/** Names beside one another at the top. */
const ABREAST = 3;

/** SVG text of one line for each curve, with a dot where two cross. */
export async function curvesSvg(
  chart: CurveChart,
  { theme = "auto" }: { readonly theme?: Theme } = {},
): Promise<string> {
  const Plot = await loadPlot();
  const document = await makeDocument();
  const { x, y, curves, marks, logarithmic } = chart;
  const points = curves.flatMap(({ name, y }) =>
    x.values.map((at, i) => ({ name, x: at, y: y[i] }))
  );
  const ordinal = x.values.some((value) => typeof value === "string");
  const names = curves.map(({ name }) => name);
  const rows = Math.ceil(names.length / ABREAST);
  const seen = logarithmic.y ? Math.log : (value: number) => value;
  const heights = curves.flatMap(({ y }) => y.map(seen));
  const least = logarithmic.y ? Math.min(...heights) : 0;
  const same = SAME * (Math.max(...heights) - least);
  const covers = (i: number) =>
    curves.slice(0, i).filter((other) =>
      curves[i].y.every((value, at) => Math.abs(seen(value) - seen(other.y[at])) <= same)
    ).length;
  const dash = (i: number) =>
    DASHES[Math.min(DASHES.length - 1, covers(i) + Math.floor(i / CURVES.length))];
  const below = notes(chart.notes ?? [], { width: WIDTH, dx: -50, below: 44 });
  const few = logarithmic.x && x.values.length <= FEW;
  const colors = names.map((_, i) => CURVES[i % CURVES.length]);
  const element = Plot.plot({
    // Plot's types want a browser's Document and use but createElementNS and documentElement
    // deno-lint-ignore no-explicit-any
    document: document as any,
    width: WIDTH,
    height: HEIGHT + 18 * rows + below.room,
    marginTop: 54 + 18 * rows,
    marginLeft: 60,
    marginBottom: 48 + below.room,
    marginRight: 24,
    style: { fontFamily: "system-ui, sans-serif", color: PAGE.ink },
    ariaLabel: "Curves",
    x: {
      ...(ordinal ? { type: "point" } : logarithmic.x ? { type: "log" } : { type: "linear" }),
      label: x.label,
      labelOffset: 38,
      labelAnchor: "center",
      labelArrow: "none",
      ...(few
        ? { ticks: x.values, tickFormat: x.text ?? String }
        : logarithmic.x
        ? { ticks: 6, tickFormat: "~s" }
        : {}),
    },
    y: {
      type: logarithmic.y ? "log" : "linear",
      ...(logarithmic.y ? { tickFormat: "~g" } : { zero: chart.zero, nice: true }),
      label: null,
      grid: true,
    },
    color: { type: "ordinal", domain: names, range: colors },
    marks: [
      ...names.map((name, i) =>
        Plot.line(points.filter((point) => point.name === name), {
          x: "x",
          y: "y",
          stroke: "name",
          strokeWidth: 2,
          strokeDasharray: dash(i),
        })
      ),
      Plot.dot(points, { x: "x", y: "y", fill: "name", r: 2.5 }),
      Plot.dot(marks, { x: "x", y: "y", r: 6, stroke: PAGE.ink, strokeWidth: 1.5 }),
      ...heading(Plot, {
        title: chart.title,
        subtitle: y.label,
        dx: -50,
        dy: [-46 - 18 * rows, -26 - 18 * rows],
      }),
      ...below.marks(Plot),
      ...names.map((name, i) =>
        key(Plot, name, {
          dash: dash(i) ? "– –" : "—",
          color: colors[i],
          dx: -50 + 240 * (i % ABREAST),
          dy: 18 * (Math.floor(i / ABREAST) - rows) - 8,
        })
      ),
    ],
  });
  return svgText(element, { document, theme });
}
