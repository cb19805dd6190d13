/**
 * From a timeline to everything that its Gantt chart shows, in pixels.
 * @module
 */
import { SchemoeError } from "../types.ts";
import { makeBars, type TimeScale } from "./bars.ts";
import { column, numbers, oneRun, rows, type Timeline } from "./columns.ts";
import { byRank } from "./communication.ts";
import { followPath, type PathStep } from "./critical_path.ts";
import type { Chart } from "./draw.ts";
import { foldRanks, listNumbers, type RankGroup } from "./fold.ts";
import { formatPercent, timeUnit } from "./format.ts";
import type { GanttOptions } from "./gantt.ts";
import { subtract } from "./intervals.ts";
import { laneOrder, type Layout, layOut, MARGIN, shorten, type ShownRank } from "./layout.ts";
import { placeLegend } from "./legend.ts";
import { extent } from "./makespan.ts";
import { groupBy, operationsOf } from "./operations.ts";
import { kindStyle } from "./palette.ts";
import type { ZoomData } from "./zoom.ts";

/** What charts that stand above each other share. */
export interface Shared {
  /** Nanoseconds from the left to the right edge; default the makespan. */
  readonly span?: number;
  /** Left edge of the bars at least. */
  readonly left?: number;
  /** What the legend explains besides this run; null for no legend. */
  readonly legend?: Needs | null;
  /** Ranks, or groups of equal ones, that are shown at most. */
  readonly most?: number;
}

/** What a legend must explain. */
export interface Needs {
  readonly kinds: ReadonlySet<string>;
  readonly waiting: boolean;
  readonly exposed: boolean;
}

/** A chart, and what zooming it needs. */
export interface Arranged {
  readonly chart: Chart;
  readonly zoom: ZoomData;
  readonly needs: Needs;
}

/** Ranks, or groups of equal ones, that are shown at most. */
const MOST_RANKS = 64;
/** Times that differ by less than this part of the makespan, a pixel or two, look the same. */
const FOLD = 0.002;

/** Of more bars, those are left out that nobody could tell from their neighbours. */
const MANY_BARS = 10_000;
/** Parts of the makespan that can be told apart: about half a pixel. */
const FINEST = 1600;

/** Works out a chart. @throws {SchemoeError} see `gantt`. */
export function arrange(timeline: Timeline, options: GanttOptions, shared: Shared = {}): Arranged {
  const run = oneRun(timeline);
  const { begin, end } = extent(timeline);
  const groups = groupsOf(timeline, options, end - begin);
  const shown = groups.slice(0, shared.most ?? MOST_RANKS);
  const standIn = new Map(shown.flatMap(({ rank, ranks }) => ranks.map((of) => [of, rank])));
  const rank = numbers(timeline, "rank");
  const lane = column<string>(timeline, "lane");
  const kind = column<string>(timeline, "kind");
  const wait = numbers(timeline, "wait_ns");
  const lanes = new Set<string>();
  const kinds = new Set<string>();
  const all = new Set<number>();
  const every: number[] = [];
  let waiting = false;
  for (const row of rows(timeline)) {
    const of = rank.at(row);
    lanes.add(lane.at(row));
    all.add(of);
    if (standIn.get(of) !== of) continue;
    every.push(row);
    kinds.add(kind.at(row));
    waiting ||= wait.at(row) > 0;
  }
  const gaps = lanes.has("compute") ? exposedOf(timeline, shown.map(({ rank }) => rank)) : [];
  const list = every.length > MANY_BARS ? thin(timeline, every, (end - begin) / FINEST) : every;
  const path = options.criticalPath ? followPath(operationsOf(timeline)).steps : undefined;
  const width = options.width ?? 960;
  const title = shorten(options.title ?? run, 14, width - 2 * MARGIN);
  const header = { left: MARGIN, right: width - MARGIN, top: title ? 44 : 20 };
  const needs: Needs = { kinds, waiting, exposed: gaps.length > 0 };
  const legend = shared.legend === null
    ? { swatches: [], names: [], headings: [], bottom: header.top - 8 }
    : placeLegend({ ...header, ...both(needs, shared.legend), critical: path !== undefined });
  const ranks = shown.map(labelled);
  const caption = shorten(
    captionOf({
      ...{ groups, shown, all: all.size, lanes, path, standIn },
      bars: { drawn: list.length, all: every.length },
    }),
    11,
    width - 2 * MARGIN,
  );
  const layout = layOut({
    ...{ width, header: legend.bottom + 6, footer: caption ? 24 : 4, ranks, lanes },
    left: shared.left,
  });
  const whole = shared.span ?? (end > begin ? end - begin : 1);
  const { unit, ns } = timeUnit(whole);
  const scale: TimeScale = (time) => {
    const x = layout.left + (time - begin) / whole * (layout.right - layout.left);
    return Math.round(x * 100) / 100;
  };
  const top = new Map(
    layout.rows.filter((row) => row.lane === "compute").map((row) => [row.rank, row.top]),
  );
  const named = new Map(shown.map((group) => [group.rank, whereOf(group)]));
  const where = (of: number) => named.get(of);
  const bars = makeBars({ timeline, rows: list, layout, scale, begin, where });
  const drawn = path && drawPath(path, { layout, scale, list, standIn, timeline });
  const chart: Chart = {
    ...{ title, caption, layout, legend, bars, axis: { end: whole / ns, unit } },
    exposed: gaps.map((gap) => ({
      x1: scale(gap.begin),
      x2: scale(gap.end),
      y1: top.get(gap.rank)!,
    })),
    path: drawn?.path,
  };
  const zoom: ZoomData = {
    ...{ left: layout.left, right: layout.right, top: layout.top, bottom: layout.bottom },
    ...{ end: whole, unit, unitNs: ns, fontSize: layout.roomy ? layout.fontSize : 0 },
    bars,
    exposed: gaps.flatMap((gap) => [gap.begin - begin, gap.end - begin]),
    path: (drawn?.times ?? []).map((time) => time - begin),
    links: (drawn?.links ?? []).map((time) => time - begin),
    others: drawn?.path.others ?? [],
  };
  return { chart, zoom, needs };
}

/** What either of two legends must explain. */
export function both(a: Needs, b: Needs = a): Needs {
  return {
    kinds: new Set([...a.kinds, ...b.kinds]),
    waiting: a.waiting || b.waiting,
    exposed: a.exposed || b.exposed,
  };
}

function groupsOf(timeline: Timeline, { ranks, fold }: GanttOptions, span: number): RankGroup[] {
  // ranks that were asked for one by one are shown one by one
  const part = fold === false ? -1 : fold ?? (ranks ? -1 : FOLD);
  if (!ranks) return foldRanks(timeline, part < 0 ? -1 : part * span);
  const known = new Map(foldRanks(timeline, -1).map((group) => [group.rank, group]));
  const wanted = [...new Set(ranks)];
  const missing = wanted.find((rank) => !known.has(rank));
  if (missing !== undefined) {
    throw new SchemoeError(
      `Cannot draw the Gantt chart: the timeline has no rank ${missing}, it has ${known.size} ranks`,
    );
  }
  return part < 0
    ? wanted.map((rank) => known.get(rank)!)
    : foldRanks(timeline, part * span, new Set(wanted));
}

function labelled({ rank, node, ranks, nodes }: RankGroup): ShownRank {
  if (ranks.length === 1) return { rank, node };
  const list = listNumbers(ranks);
  const nodeList = listNumbers(nodes);
  return {
    ...{ rank, node },
    label: list.length <= 9 ? `ranks ${list}` : `${ranks.length} ranks`,
    nodeLabel: nodes.length === 1
      ? `node ${node}`
      : nodeList.length <= 7
      ? `nodes ${nodeList}`
      : `${nodes.length} nodes`,
  };
}

function whereOf({ rank, node, ranks }: RankGroup): string | undefined {
  if (ranks.length === 1) return undefined;
  return `node ${node} · rank ${rank}, like ${ranks.length - 1} other${
    ranks.length > 2 ? "s" : ""
  }`;
}

function captionOf({ groups, shown, all, lanes, path, standIn, bars }: {
  groups: readonly RankGroup[];
  shown: readonly RankGroup[];
  all: number;
  lanes: ReadonlySet<string>;
  path: readonly PathStep[] | undefined;
  standIn: ReadonlyMap<number, number>;
  bars: { drawn: number; all: number };
}): string {
  const parts: string[] = [];
  if (bars.drawn < bars.all) {
    parts.push(
      `${bars.drawn} of ${bars.all} tasks drawn, of very short ones the first in each pixel`,
    );
  }
  const count = shown.reduce((sum, { ranks }) => sum + ranks.length, 0);
  const folded = shown.filter(({ ranks }) => ranks.length > 1);
  if (count < all) parts.push(`${count} of ${all} ranks shown`);
  if (folded.length > 0) {
    const lists = folded.map(({ ranks }) => `{${listNumbers(ranks)}}`).join(" ");
    const which = groups.length === 1
      ? `all ${all} ranks are equal, one is shown`
      : lists.length <= 60
      ? `equal ranks shown once: ${lists}`
      : `${count} ranks in ${shown.length} groups of equal ones, the first of each: ${
        listNumbers(shown.map(({ rank }) => rank))
      }`;
    parts.push(which);
  }
  if (path) {
    const missed = path.filter(({ operation }) => !standIn.has(operation.rank)).length;
    parts.push(
      `critical path: ${sharesOf(path)}${missed > 0 ? `; ${missed} steps not shown` : ""}`,
    );
  }
  if (shown.length > 16) parts.push(`rows of a rank: ${laneOrder(lanes).join(", ")}`);
  return parts.join(" · ");
}

/** Shares of the critical path by kind, largest first: `all-to-all 54 %, expert 32 %`. */
function sharesOf(path: readonly PathStep[]): string {
  const sums = [...groupBy(path, ({ operation }) => operation.kind)].map(([kind, steps]) => ({
    name: kindStyle(kind).name,
    ns: steps.reduce((sum, { begin, end }) => sum + end - begin, 0),
  }));
  const gap = path.reduce((sum, step) => sum + step.gap, 0);
  if (gap > 0) sums.push({ name: "gaps", ns: gap });
  const whole = sums.reduce((sum, { ns }) => sum + ns, 0);
  return sums.toSorted((a, b) => b.ns - a.ns).slice(0, 3)
    .map(({ name, ns }) => `${name} ${formatPercent(ns / whole)}`).join(", ");
}

/** Boxes of the critical path and the lines between them, on the ranks that are shown. */
function drawPath(path: readonly PathStep[], { layout, scale, list, standIn, timeline }: {
  layout: Layout;
  scale: TimeScale;
  list: readonly number[];
  standIn: ReadonlyMap<number, number>;
  timeline: Timeline;
}) {
  const top = new Map(layout.rows.map((row) => [`${row.rank} ${row.lane}`, row.top]));
  const name = column<string>(timeline, "name");
  const [rank, start] = [numbers(timeline, "rank"), numbers(timeline, "start_ns")];
  const lane = column<string>(timeline, "lane");
  // a folded rank's step is drawn on the rank that stands for it, at the times of the step
  const steps = path.flatMap((step) => {
    const of = standIn.get(step.operation.rank);
    const y = of === undefined ? undefined : top.get(`${of} ${step.operation.lane}`);
    return y === undefined ? [] : [{ ...step, rank: of!, y }];
  });
  const bars = groupBy(
    list.keys(),
    (i) => `${rank.at(list[i])} ${lane.at(list[i])} ${name.at(list[i])}`,
  );
  const on = new Set(steps.map(({ rank: of, operation }) => {
    const same = bars.get(`${of} ${operation.lane} ${operation.name}`) ?? [];
    const distance = (i: number) => Math.abs(start.at(list[i]) - operation.start);
    return same.toSorted((a, b) => distance(a) - distance(b))[0];
  }));
  const next = steps.slice(1).map((step, i) => ({ from: steps[i], to: step }))
    .filter(({ from, to }) => from.y !== to.y);
  const middle = layout.rowHeight / 2;
  return {
    path: {
      boxes: {
        x1: steps.map(({ begin }) => scale(begin)),
        x2: steps.map(({ begin, end }) => Math.max(scale(begin) + 0.75, scale(end))),
        y1: steps.map(({ y }) => y + 1),
        y2: steps.map(({ y }) => y + layout.rowHeight - 1),
      },
      links: {
        x: next.map(({ to }) => scale(to.begin)),
        y1: next.map(({ from, to }) => from.y + (from.y < to.y ? 2 * middle - 1 : 1)),
        y2: next.map(({ from, to }) => to.y + (from.y < to.y ? 1 : 2 * middle - 1)),
      },
      others: Array.from(list.keys()).filter((i) => !on.has(i)),
    },
    times: steps.flatMap(({ begin, end }) => [begin, end]),
    links: next.map(({ to }) => to.begin),
  };
}

/** Rows without those that are shorter than `finest` and begin as close to the one before. */
function thin(timeline: Timeline, list: readonly number[], finest: number): number[] {
  const lane = column<string>(timeline, "lane");
  const [rank, start, end] = (["rank", "start_ns", "end_ns"] as const)
    .map((name) => numbers(timeline, name));
  const last = new Map<string, number>();
  return list.toSorted((a, b) => start.at(a) - start.at(b)).filter((row) => {
    if (end.at(row) - start.at(row) >= finest) return true;
    const key = `${rank.at(row)} ${lane.at(row)}`;
    const before = last.get(key);
    if (before !== undefined && start.at(row) - before < finest) return false;
    last.set(key, start.at(row));
    return true;
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
