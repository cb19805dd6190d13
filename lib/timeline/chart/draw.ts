/**
 * The marks of a Gantt chart: columns of pixels given to Observable Plot.
 * @module
 */
import type { Bars } from "./bars.ts";
import { gapFont, type Gaps } from "./gaps.ts";
import { type Layout, LINE, MARGIN, TITLE } from "./layout.ts";
import { type Legend, SWATCH } from "./legend.ts";
import type { MemoryBoxes } from "./memory_row.ts";
import { PAGE } from "./palette.ts";
import { boxes, fixed, type Plot, words } from "./marks.ts";
import type { DocumentLike } from "./plot.ts";

/** Everything to draw, in pixels. */
export interface Chart {
  readonly title: string;
  /** Small lines below the title. */
  readonly lines: readonly string[];
  readonly caption: string;
  readonly layout: Layout;
  readonly legend: Legend;
  readonly bars: Bars;
  /** Where communication is exposed: `x1`, `x2` and `y1` of boxes in compute rows. */
  readonly exposed: readonly { x1: number; x2: number; y1: number }[];
  /** The critical path: its boxes, where it goes from bar to bar, and the bars that it misses. */
  readonly path?: {
    readonly boxes: Record<"x1" | "x2" | "y1" | "y2", readonly number[]>;
    readonly links: Record<"x" | "y1" | "y2", readonly number[]>;
    readonly others: readonly number[];
  };
  /** What each gap waits for, where that is asked for. */
  readonly gaps?: Gaps;
  /** Memory in use, likewise. */
  readonly memory?: MemoryBoxes;
  /** Length of the axis and its unit. */
  readonly axis: { readonly end: number; readonly unit: string };
}

/** Draws a chart into a new SVG element of the document. */
export function draw(Plot: Plot, chart: Chart, document: DocumentLike) {
  const { layout, legend, bars, exposed, axis } = chart;
  const { width, height, left, right, top, bottom, rowHeight, fontSize } = layout;
  const waits = Array.from(bars.waited.keys()).filter((i) => bars.waited[i] > bars.x1[i]);
  const texts = bars.text.keys().filter((i) => bars.text[i] !== "").toArray();
  const pick = <T>(from: ArrayLike<T>, at: readonly number[]) => at.map((i) => from[i]);
  const quiet = { pointerEvents: "none" } as const;
  return Plot.plot({
    // Plot's types want a browser's Document and use but createElementNS and documentElement
    // deno-lint-ignore no-explicit-any
    document: document as any,
    width,
    height,
    marginTop: top,
    marginRight: width - right,
    marginBottom: height - bottom,
    marginLeft: left,
    style: { fontFamily: "system-ui, sans-serif", color: PAGE.ink },
    // linkedom leaves < and & in attributes as they are: no names in attributes
    ariaLabel: "Gantt chart",
    x: { type: "linear", domain: [0, axis.end], range: [left, right] },
    y: { type: "linear", domain: [0, height], range: [0, height], axis: null },
    marks: [
      boxes(Plot, { x1: [0.5], y1: [0.5], x2: [width - 0.5], y2: [height - 0.5] }, {
        fill: PAGE.paper,
        stroke: PAGE.edge,
        rx: 6,
      }),
      boxes(Plot, {
        x1: layout.rows.map(() => left),
        x2: layout.rows.map(() => right),
        y1: layout.rows.map((row) => row.top + 0.5),
        y2: layout.rows.map((row) => row.top + row.height - 0.5),
      }, { fill: PAGE.band }),
      boxes(Plot, {
        x1: exposed.map((gap) => gap.x1),
        x2: exposed.map((gap) => gap.x2),
        y1: exposed.map((gap) => gap.y1 + 0.5),
        y2: exposed.map((gap) => gap.y1 + rowHeight - 0.5),
      }, { fill: PAGE.exposed, className: "gantt-exposed", ...quiet }),
      Plot.gridX({ stroke: PAGE.grid, strokeOpacity: 1, strokeWidth: 0.5 }),
      boxes(Plot, {
        x1: layout.dividers.map(() => MARGIN),
        x2: layout.dividers.map(() => right),
        y1: layout.dividers,
        y2: layout.dividers.map((y) => y + 1),
      }, { fill: PAGE.edge }),
      ...(chart.memory ? drawMemory(Plot, chart.memory) : []),
      boxes(Plot, bars, {
        fill: fixed(bars.fill),
        title: fixed(bars.title),
        className: "gantt-bars",
      }),
      boxes(Plot, {
        x1: pick(bars.x1, waits),
        x2: pick(bars.waited, waits),
        y1: pick(bars.y1, waits).map((y) => y + 1),
        y2: pick(bars.y2, waits).map((y) => y - 1),
      }, { fill: PAGE.paper, fillOpacity: 0.72, className: "gantt-waiting", ...quiet }),
      words(
        Plot,
        texts.map((i) => ({
          x: (bars.waited[i] + bars.x2[i]) / 2,
          y: (bars.y1[i] + bars.y2[i]) / 2,
          text: bars.text[i],
        })),
        { fontSize, fill: fixed(pick(bars.ink, texts)), className: "gantt-labels", ...quiet },
      ),
      ...(chart.gaps ? drawGaps(Plot, chart.gaps, layout) : []),
      ...(chart.path ? drawPath(Plot, chart.path, bars) : []),
      words(Plot, layout.laneLabels, { fontSize, textAnchor: "end", fill: PAGE.faint }),
      words(Plot, layout.rankLabels, { fontSize, textAnchor: "end", fill: PAGE.ink }),
      words(Plot, layout.nodeLabels, {
        fontSize,
        textAnchor: "start",
        fill: PAGE.ink,
        fontWeight: "bold",
      }),
      Plot.axisX({ anchor: "bottom", color: PAGE.faint, fontSize: 11, label: null, tickSize: 4 }),
      words(Plot, [{ x: (left + right) / 2, y: bottom + 32, text: `time (${axis.unit})` }], {
        fontSize: 11,
        fill: PAGE.faint,
      }),
      words(Plot, [{ x: MARGIN, y: TITLE, text: chart.title }], {
        fontSize: 14,
        fontWeight: "bold",
        textAnchor: "start",
        fill: PAGE.ink,
      }),
      words(Plot, chart.lines.map((text, i) => ({ x: MARGIN, y: TITLE + LINE * (i + 1), text })), {
        fontSize: 11,
        textAnchor: "start",
        fill: PAGE.faint,
      }),
      words(Plot, [{ x: MARGIN, y: height - 14, text: chart.caption }], {
        fontSize: 11,
        textAnchor: "start",
        fill: PAGE.faint,
      }),
      ...drawLegend(Plot, legend),
    ],
  });
}

function drawMemory(Plot: Plot, { title, ...box }: MemoryBoxes) {
  return [
    boxes(Plot, box, {
      fill: PAGE.grid,
      className: "gantt-memory",
      title: fixed(title),
      // otherwise the paper shines through where two boxes meet
      shapeRendering: "crispEdges",
    }),
  ];
}

/** Boxes that only have a tooltip, and what is written in them. */
function drawGaps(Plot: Plot, gaps: Gaps, layout: Layout) {
  const { x1, x2, y1, y2, title, text } = gaps;
  const said = Array.from(text.keys()).filter((i) => text[i] !== "");
  const middle = (a: readonly number[], b: readonly number[], i: number) => (a[i] + b[i]) / 2;
  return [
    boxes(Plot, { x1, x2, y1, y2 }, {
      fill: PAGE.paper,
      fillOpacity: 0,
      title: fixed(title),
      className: "gantt-gaps",
    }),
    words(
      Plot,
      said.map((i) => ({ x: middle(x1, x2, i), y: middle(y1, y2, i), text: text[i] })),
      {
        fontSize: gapFont(layout),
        fill: PAGE.ink,
        fontStyle: "italic",
        className: "gantt-waits",
        pointerEvents: "none",
      },
    ),
  ];
}

/** Outlines the critical path and joins its bars by lines; fades all others. */
function drawPath(
  Plot: Plot,
  { boxes: on, links, others }: NonNullable<Chart["path"]>,
  bars: Bars,
) {
  const pick = (from: ArrayLike<number>) => others.map((i) => from[i]);
  const quiet = { pointerEvents: "none" } as const;
  return [
    boxes(Plot, { x1: pick(bars.x1), x2: pick(bars.x2), y1: pick(bars.y1), y2: pick(bars.y2) }, {
      fill: PAGE.paper,
      fillOpacity: 0.66,
      className: "gantt-off",
      ...quiet,
    }),
    Plot.link({ length: links.x.length }, {
      x1: fixed(links.x),
      x2: fixed(links.x),
      y1: fixed(links.y1),
      y2: fixed(links.y2),
      stroke: PAGE.ink,
      strokeWidth: 1.5,
      className: "gantt-links",
      ...quiet,
    }),
    boxes(Plot, on, {
      fill: "none",
      stroke: PAGE.ink,
      strokeWidth: 1.75,
      className: "gantt-path",
      ...quiet,
    }),
  ];
}

function drawLegend(Plot: Plot, { swatches, names, headings }: Legend) {
  const square = (list: Legend["swatches"]) => ({
    x1: list.map(({ x }) => x),
    x2: list.map(({ x }) => x + SWATCH),
    y1: list.map(({ y }) => y - SWATCH / 2),
    y2: list.map(({ y }) => y + SWATCH / 2),
  });
  const inner = square(swatches.filter(({ waiting }) => waiting));
  const outlined = square(swatches.filter(({ critical }) => critical));
  const font = { fontSize: 11, textAnchor: "start" } as const;
  return [
    boxes(Plot, square(swatches), { fill: fixed(swatches.map(({ fill }) => fill)) }),
    boxes(Plot, {
      ...inner,
      y1: inner.y1.map((y) => y + 1),
      y2: inner.y2.map((y) => y - 1),
    }, { fill: PAGE.paper, fillOpacity: 0.72 }),
    ...(outlined.x1.length > 0
      ? [boxes(Plot, outlined, { fill: "none", stroke: PAGE.ink, strokeWidth: 1.75 })]
      : []),
    words(Plot, names, { ...font, fill: PAGE.ink }),
    words(Plot, headings, { ...font, fill: PAGE.faint, fontStyle: "italic" }),
  ];
}
