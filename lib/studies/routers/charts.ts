/** Pictures of a study of routers. @module */
import { heading } from "../../timeline/chart/heading.ts";
import { notes } from "../../timeline/chart/notes.ts";
import { CURVES, PAGE } from "../../timeline/chart/palette.ts";
import { loadPlot, makeDocument } from "../../timeline/chart/plot.ts";
import { svgText } from "../../timeline/chart/theme.ts";
import type { RouterRow } from "./row.ts";

/** Load over the mean at which the colours end. */
const MOST = 4;
const ROW = 22;

type Plot = Awaited<ReturnType<typeof loadPlot>>;

const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** Load of each expert over the mean. */
export async function loadsSvg(
  rows: readonly RouterRow[],
  facts: readonly string[] = [],
): Promise<string> {
  const [Plot, document] = [await loadPlot(), await makeDocument()];
  const routers = unique(rows.map(({ router }) => router));
  const skews = unique(rows.map(({ skew }) => `skew ${skew}`));
  const cells = rows.flatMap(({ router, skew, loads }) => {
    const average = loads.reduce((a, b) => a + b, 0) / loads.length;
    return loads.map((load, expert) => ({
      router,
      skew: `skew ${skew}`,
      expert,
      load: average > 0 ? load / average : 0,
    }));
  });
  const width = 140 + 220 * skews.length;
  const below = notes(facts, { width, dx: -116, below: 36, facet: "super" });
  const element = Plot.plot({
    // Plot's types want a browser's Document and use but createElementNS and documentElement
    // deno-lint-ignore no-explicit-any
    document: document as any,
    width,
    height: 124 + ROW * routers.length + below.room,
    marginTop: 82,
    marginLeft: 130,
    marginBottom: 40 + below.room,
    marginRight: 20,
    style: STYLE,
    ariaLabel: "Loads",
    fx: { domain: skews, label: null, axis: "top" },
    x: {
      label: "expert, from the first to the last",
      labelOffset: 30,
      labelAnchor: "center",
      labelArrow: "none",
      ticks: [],
    },
    y: { domain: routers, label: null, tickSize: 0 },
    color: {
      type: "diverging",
      scheme: "PuOr",
      domain: [0, MOST],
      pivot: 1,
      symmetric: false,
      clamp: true,
    },
    marks: [
      Plot.cell(cells, { fx: "skew", x: "expert", y: "router", fill: "load", inset: 0.5 }),
      ...heading(Plot, {
        title: "Load of each expert over the mean",
        subtitle: `none (violet) · even (white) · ${MOST} times and more (brown)`,
        dx: -116,
        dy: [-68, -48],
        facet: "super",
      }),
      ...below.marks(Plot),
    ],
  });
  return svgText(element, { document });
}

/** The importance loss over the imbalance. */
export async function balanceSvg(
  rows: readonly RouterRow[],
  facts: readonly string[] = [],
): Promise<string> {
  const [Plot, document] = [await loadPlot(), await makeDocument()];
  const points = rows.filter(({ importance }) => !Number.isNaN(importance))
    // a logarithmic axis has no 0
    .map((row) => ({ ...row, importance: Math.max(row.importance, 1e-4) }));
  const routers = unique(points.map(({ router }) => router));
  const color = (router: string) => CURVES[routers.indexOf(router) % CURVES.length];
  const below = notes(facts, { width: 720, dx: -40, below: 44, facet: "super" });
  const element = Plot.plot({
    // deno-lint-ignore no-explicit-any
    document: document as any,
    width: 720,
    height: 400 + below.room,
    marginTop: 64,
    marginLeft: 60,
    marginBottom: 48 + below.room,
    marginRight: 150,
    style: STYLE,
    ariaLabel: "Loss against imbalance",
    x: {
      label: "largest load over the mean",
      labelOffset: 38,
      labelAnchor: "center",
      labelArrow: "none",
    },
    y: { type: "log", label: null, grid: true, ticks: 5, tickFormat: (v: number) => `${v}` },
    marks: [
      ...routers.flatMap((router) => {
        const own = points.filter((point) => point.router === router);
        return [
          Plot.line(own, { x: "imbalance", y: "importance", stroke: color(router) }),
          Plot.dot(own, { x: "imbalance", y: "importance", fill: color(router), r: 3.5 }),
        ];
      }),
      ...heading(Plot, {
        title: "Importance loss against imbalance",
        subtitle:
          "squared coefficient of variation of the gate's weights; a dot is one skew of the tokens, lines begin at the least",
        dx: -40,
        dy: [-50, -30],
        facet: "super",
      }),
      ...below.marks(Plot),
      ...routers.map((router, i) =>
        Plot.text([router], {
          frameAnchor: "top-right",
          textAnchor: "start",
          dx: 14,
          dy: 18 * i,
          fontSize: 12,
          fontWeight: 600,
          fill: color(router),
          text: (d: string) => d,
        })
      ),
    ],
  });
  return svgText(element, { document });
}

const STYLE = { fontFamily: "system-ui, sans-serif", color: PAGE.ink };
