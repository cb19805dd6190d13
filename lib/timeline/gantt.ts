/**
 * Gantt charts of timelines.
 * @module
 */
import { SchemoeError } from "../types.ts";
import { makeBars, type TimeScale } from "./bars.ts";
import { column, numbers, oneRun, rows, type Timeline } from "./columns.ts";
import { byRank } from "./communication.ts";
import { sendBundle } from "./display.ts";
import { type Chart, draw } from "./draw.ts";
import { timeUnit } from "./format.ts";
import { subtract } from "./intervals.ts";
import { layOut, MARGIN, shorten } from "./layout.ts";
import { placeLegend } from "./legend.ts";
import { extent } from "./makespan.ts";
import { type DocumentLike, loadPlot, makeDocument } from "./plot.ts";

/** How a Gantt chart is drawn. */
export interface GanttOptions {
  /** DOM in which it is made; default: a new document of linkedom. */
  readonly document?: DocumentLike;
  /** Pixels; default 960, at least 400. */
  readonly width?: number;
  /** Line at the top; default: the name of the run. */
  readonly title?: string;
  /** Ranks to show, from top to bottom; default: the first 16. */
  readonly ranks?: readonly number[];
}

/** An SVG element that shows itself in a notebook. */
export interface GanttElement {
  /** The SVG as text, with its namespace. */
  readonly outerHTML: string;
  [key: symbol]: () => Promise<Record<string, string>>;
}

const OPTIONS: Record<keyof GanttOptions, true> = {
  document: true,
  width: true,
  title: true,
  ranks: true,
};
const MOST_RANKS = 16;

/**
 * Draws a timeline: one row for each rank and lane, time to the right, colour by kind of task,
 * chunk in the bar, waiting for a peer paler at the beginning of the bar. Where a rank communicates
 * and computes nothing, its compute row is tinted. Lanes that no rank uses are left out.
 *
 * The axis begins at the earliest start. The picture depends on nothing but the arguments, and
 * reads alike on light and dark pages. Loads Observable Plot, and linkedom when given no document.
 *
 * @throws {SchemoeError} naming an unknown option, a column or rank that the timeline lacks, or the
 * runs when there are several.
 */
export async function gantt(
  timeline: Timeline,
  options: GanttOptions = {},
): Promise<GanttElement> {
  const chart = arrange(timeline, checked(options));
  const document = options.document ?? await makeDocument();
  const Plot = await loadPlot();
  const element = draw(Plot, chart, document);
  element.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return Object.assign(element, {
    [Symbol.for("Jupyter.display")]: () =>
      sendBundle({ "image/svg+xml": element.outerHTML, "text/plain": chart.title }),
  });
}

/** Text of the SVG that `gantt` draws, for a file or an HTML page. */
export async function ganttSvg(timeline: Timeline, options: GanttOptions = {}): Promise<string> {
  return (await gantt(timeline, options)).outerHTML;
}

function checked(options: GanttOptions): GanttOptions {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(OPTIONS, name));
  const fail = (problem: string): never => {
    throw new SchemoeError(`Cannot draw the Gantt chart: ${problem}`);
  };
  if (unknown !== undefined) {
    fail(`unknown option "${unknown}", there are ${Object.keys(OPTIONS).join(", ")}`);
  }
  const { width, ranks } = options;
  if (width !== undefined && !(width >= 400 && width <= 20_000)) {
    fail(`width is ${width}, not a number of pixels from 400 to 20000`);
  }
  if (ranks !== undefined && ranks.length === 0) fail("ranks is empty");
  return options;
}

function arrange(timeline: Timeline, options: GanttOptions): Chart {
  const run = oneRun(timeline);
  const found = ranksOf(timeline);
  const ranks = choose(found, options.ranks);
  const shown = new Set(ranks.map(({ rank }) => rank));
  const rank = numbers(timeline, "rank");
  const lane = column<string>(timeline, "lane");
  const kind = column<string>(timeline, "kind");
  const wait = numbers(timeline, "wait_ns");
  const lanes = new Set<string>();
  const kinds = new Set<string>();
  const list: number[] = [];
  let waiting = false;
  for (const row of rows(timeline)) {
    lanes.add(lane.at(row));
    if (!shown.has(rank.at(row))) continue;
    list.push(row);
    kinds.add(kind.at(row));
    waiting ||= wait.at(row) > 0;
  }
  const gaps = lanes.has("compute") ? exposedOf(timeline, ranks.map(({ rank }) => rank)) : [];
  const width = options.width ?? 960;
  const title = shorten(options.title ?? run, 14, width - 2 * MARGIN);
  const legend = placeLegend({
    kinds,
    waiting,
    exposed: gaps.length > 0,
    left: MARGIN,
    right: width - MARGIN,
    top: title ? 44 : 20,
  });
  const caption = ranks.length < found.size ? `${ranks.length} of ${found.size} ranks shown` : "";
  const layout = layOut({
    width,
    header: legend.bottom + 6,
    footer: caption ? 20 : 4,
    ranks,
    lanes,
  });
  const { begin, end } = extent(timeline);
  const whole = end > begin ? end - begin : 1;
  const { unit, ns } = timeUnit(whole);
  const scale: TimeScale = (time) => {
    const x = layout.left + (time - begin) / whole * (layout.right - layout.left);
    return Math.round(x * 100) / 100;
  };
  const top = new Map(
    layout.rows.filter((row) => row.lane === "compute").map((row) => [row.rank, row.top]),
  );
  return {
    title,
    caption,
    layout,
    legend,
    bars: makeBars({ timeline, rows: list, layout, scale, begin }),
    exposed: gaps.map((gap) => ({
      x1: scale(gap.begin),
      x2: scale(gap.end),
      y1: top.get(gap.rank)!,
    })),
    axis: { end: whole / ns, unit },
  };
}

/** Node of each rank of a timeline, by rank. */
function ranksOf(timeline: Timeline): Map<number, number> {
  const rank = numbers(timeline, "rank");
  const node = numbers(timeline, "node");
  const found = new Map<number, number>();
  for (const row of rows(timeline)) {
    if (!found.has(rank.at(row))) found.set(rank.at(row), node.at(row));
  }
  return new Map([...found].toSorted(([a], [b]) => a - b));
}

function choose(found: Map<number, number>, wanted?: readonly number[]) {
  const chosen = wanted ? [...new Set(wanted)] : [...found.keys()].slice(0, MOST_RANKS);
  return chosen.map((rank) => {
    const node = found.get(rank);
    if (node === undefined) {
      throw new SchemoeError(
        `Cannot draw the Gantt chart: the timeline has no rank ${rank}, it has ${found.size} ranks`,
      );
    }
    return { rank, node };
  });
}

/** When the given ranks communicate and compute nothing. */
function exposedOf(timeline: Timeline, ranks: readonly number[]) {
  const times = byRank(timeline);
  return ranks.flatMap((rank) => {
    const { communicating, computing } = times.get(rank)!;
    const gaps = subtract(communicating, computing);
    return Array.from(
      { length: gaps.length / 2 },
      (_, i) => ({ rank, begin: gaps[2 * i], end: gaps[2 * i + 1] }),
    );
  });
}
