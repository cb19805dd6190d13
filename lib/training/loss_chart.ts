/** The chart of losses over steps. @module */
import { heading, key } from "../timeline/chart/heading.ts";
import { notes } from "../timeline/chart/notes.ts";
import { CURVES, PAGE } from "../timeline/chart/palette.ts";
import { loadPlot, makeDocument } from "../timeline/chart/plot.ts";
import { svgText } from "../timeline/chart/theme.ts";

/** One line, where there is one with a band about it. */
export interface LossCurve {
  readonly name: string;
  readonly points: readonly {
    readonly step: number;
    readonly loss: number;
    readonly low?: number;
    readonly high?: number;
  }[];
  /** Whether points are told apart by dots. */
  readonly dots?: boolean;
  /** Drawn thin, without a name of its own: one run of the mean with that name. */
  readonly faint?: boolean;
}

const ABREAST = 4;
const WIDTH = 720;
const MARGIN = { marginLeft: 56, marginBottom: 44, marginRight: 20 };

/** SVG text of lines of losses in nats a token over steps; below it, facts on what was trained. */
export async function lossSvg(
  title: string,
  curves: readonly LossCurve[],
  facts: readonly string[] = [],
): Promise<string> {
  const Plot = await loadPlot();
  const document = await makeDocument();
  const names = [...new Set(curves.map(({ name }) => name))];
  const rows = Math.ceil(names.length / ABREAST);
  const color = (name: string) => CURVES[names.indexOf(name) % CURVES.length];
  const below = notes(facts, { width: WIDTH, dx: -46, below: 40 });
  const element = Plot.plot({
    // Plot's types want a browser's Document and use but createElementNS and documentElement
    // deno-lint-ignore no-explicit-any
    document: document as any,
    width: WIDTH,
    height: 340 + 18 * rows + below.room,
    ...MARGIN,
    marginBottom: MARGIN.marginBottom + below.room,
    marginTop: 52 + 18 * rows,
    style: { fontFamily: "system-ui, sans-serif", color: PAGE.ink },
    ariaLabel: "Losses",
    x: { label: "step", labelOffset: 36, labelAnchor: "center", labelArrow: "none", nice: true },
    y: { label: null, grid: true, nice: true },
    marks: [
      ...curves.filter(({ points }) => points.some(({ low }) => low !== undefined)).map((curve) =>
        Plot.areaY(curve.points, {
          x: "step",
          y1: "low",
          y2: "high",
          fill: color(curve.name),
          fillOpacity: 0.18,
        })
      ),
      ...curves.map(({ name, points, faint }) =>
        Plot.line(points, {
          x: "step",
          y: "loss",
          stroke: color(name),
          strokeWidth: faint ? 0.75 : 2,
          strokeOpacity: faint ? 0.45 : 1,
        })
      ),
      ...curves.filter(({ dots }) => dots).map(({ name, points }) =>
        Plot.dot(points, { x: "step", y: "loss", r: 2.5, fill: color(name) })
      ),
      ...heading(Plot, {
        title,
        subtitle: "loss, nats a token",
        dx: -46,
        dy: [-42 - 18 * rows, -23 - 18 * rows],
      }),
      ...below.marks(Plot),
      ...names.map((name, i) =>
        key(Plot, name, {
          dash: "—",
          color: color(name),
          dx: -46 + 170 * (i % ABREAST),
          dy: 18 * (Math.floor(i / ABREAST) - rows) - 6,
        })
      ),
    ],
  });
  return svgText(element, { document });
}
