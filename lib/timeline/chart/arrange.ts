/**
 * From a timeline to everything that its Gantt chart shows, in pixels.
 * @module
 */
import { quoted } from "../../words.ts";
import { SchemoeError } from "../../types.ts";
import { makeBars, type TimeScale } from "./bars.ts";
import { captionOf } from "./caption.ts";
import { column, numbers, oneRun, rows, type Timeline } from "../table/columns.ts";
import { type Subject, timed } from "../table/subject.ts";
import { byRank } from "../measures/communication.ts";
import { followPath } from "../measures/critical_path.ts";
import { idleGaps } from "../measures/idle.ts";
import { memoryOf } from "../measures/memory.ts";
import type { Chart } from "./draw.ts";
import { makeGaps } from "./gaps.ts";
import { MEMORY, memoryBoxes, memoryText } from "./memory_row.ts";
import { foldRanks, listNumbers, type RankGroup } from "./fold.ts";
import { timeUnit } from "../table/format.ts";
import type { GanttOptions } from "./options.ts";
import { subtract } from "../table/intervals.ts";
import { factsOf, titleOf, wrap } from "./facts.ts";
import { barKind } from "./palette.ts";
import { layOut, LINE, MARGIN, shorten, type ShownRank, TITLE } from "./layout.ts";
import { placeLegend } from "./legend.ts";
import { extent } from "../measures/makespan.ts";
import { operationsOf } from "../table/operations.ts";
import { pathMarks } from "./path_marks.ts";
import { thin } from "./thin.ts";
import type { ZoomData } from "./zoom.ts";

/** Shared by charts above each other. */
export interface Shared {
  /** Nanoseconds from the left to the right edge; default the makespan. */
  readonly span?: number;
  /** Left edge of the bars at least. */
  readonly left?: number;
  /** Entries of the legend besides this run's; null for no legend. */
  readonly legend?: Needs | null;
  /** Ranks, or groups of equal ones, that are shown at most. */
  readonly most?: number;
}

/** Entries of a legend. */
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
export function arrange(subject: Subject, options: GanttOptions, shared: Shared = {}): Arranged {
  const given = timed(subject, "draw the Gantt chart");
  const { timeline } = given;
  const run = oneRun(timeline);
  const { begin, end } = extent(timeline);
  const groups = groupsOf(timeline, options, end - begin);
  const shown = groups.slice(0, shared.most ?? MOST_RANKS);
  const standIn = new Map(shown.flatMap(({ rank, ranks }) => ranks.map((of) => [of, rank])));
  const rank = numbers(timeline, "rank");
  const lane = column<string>(timeline, "lane");
  const kind = column<string>(timeline, "kind");
  const label = column<string>(timeline, "label");
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
    kinds.add(barKind(kind.at(row), label.at(row)));
    waiting ||= wait.at(row) > 0;
  }
  const exposed = lanes.has("compute") ? exposedOf(timeline, shown.map(({ rank }) => rank)) : [];
  const list = every.length > MANY_BARS ? thin(timeline, every, (end - begin) / FINEST) : every;
  const operations = options.criticalPath || options.waits ? operationsOf(timeline) : undefined;
  const path = options.criticalPath ? followPath(operations!).steps : undefined;
  const memory = options.memory ? memoryOf(given, "draw the memory") : undefined;
  const width = options.width ?? 960;
  const title = shorten(options.title ?? titleOf(given) ?? run, 14, width - 2 * MARGIN);
  const lines = wrap(options.lines ?? factsOf(given), 11, width - 2 * MARGIN)
    .map((line) => shorten(line, 11, width - 2 * MARGIN));
  const above = lines.length === 0 ? title ? 0 : -24 : LINE * lines.length + (title ? 4 : 4);
  const header = { left: MARGIN, right: width - MARGIN, top: TITLE + 24 + above };
  const needs: Needs = { kinds, waiting, exposed: exposed.length > 0 };
  const legend = shared.legend === null
    ? { swatches: [], names: [], headings: [], bottom: header.top - 8 }
    : placeLegend({ ...header, ...both(needs, shared.legend), critical: path !== undefined });
  const ranks = shown.map(labelled);
  const caption = shorten(
    [
      captionOf({
        groups,
        shown,
        all: all.size,
        lanes,
        path,
        standIn,
        bars: { drawn: list.length, all: every.length },
      }),
      memory ? memoryText(memory, shown.map((group) => group.rank)) : "",
    ].filter((part) => part !== "").join(" · "),
    11,
    width - 2 * MARGIN,
  );
  const whole = shared.span ?? (end > begin ? end - begin : 1);
  const { unit, ns } = timeUnit(whole);
  const layout = layOut({
    width,
    longest: Math.floor(whole / ns).toLocaleString("en-US"),
    header: legend.bottom + 6,
    footer: caption ? 24 : 4,
    ranks,
    lanes: memory ? new Set([...lanes, MEMORY]) : lanes,
    tall: new Set([MEMORY]),
    left: shared.left,
  });
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
  const gaps = options.waits
    ? makeGaps(idleGaps(operations!), { layout, scale, begin })
    : undefined;
  const held = memory && memoryBoxes(memory, { layout, scale, begin });
  const drawn = path && pathMarks(path, { layout, scale, list, standIn, timeline });
  const chart: Chart = {
    title,
    lines,
    caption,
    layout,
    legend,
    bars,
    axis: { end: whole / ns, unit },
    exposed: exposed.map((gap) => ({
      x1: scale(gap.begin),
      x2: scale(gap.end),
      y1: top.get(gap.rank)!,
    })),
    path: drawn?.path,
    ...(gaps ? { gaps } : {}),
    ...(held ? { memory: held } : {}),
  };
  const zoom: ZoomData = {
    left: layout.left,
    right: layout.right,
    top: layout.top,
    bottom: layout.bottom,
    end: whole,
    unit,
    unitNs: ns,
    fontSize: layout.roomy ? layout.fontSize : 0,
    bars,
    exposed: exposed.flatMap((gap) => [gap.begin - begin, gap.end - begin]),
    path: (drawn?.times ?? []).map((time) => time - begin),
    links: (drawn?.links ?? []).map((time) => time - begin),
    others: drawn?.path.others ?? [],
    gaps: gaps?.times ?? [],
    gapTexts: gaps?.candidates ?? [],
    memory: held?.times ?? [],
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
      `Cannot draw the Gantt chart: the timeline has no rank ${
        quoted(missing)
      }, it has ${known.size} ranks`,
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
    rank,
    node,
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
