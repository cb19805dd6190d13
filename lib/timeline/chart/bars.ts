/**
 * The bars of a Gantt chart, in pixels: columns for Observable Plot.
 * @module
 */
import { column, isCommunication, numbers, type Timeline } from "../table/columns.ts";
import { formatBytes, formatRate, formatTime } from "../table/format.ts";
import { type Layout, textWidth } from "./layout.ts";
import { barKind, kindStyle } from "./palette.ts";

/** Rectangles with their texts, one entry for each bar. */
export interface Bars {
  readonly x1: Float64Array;
  readonly x2: Float64Array;
  readonly y1: Float64Array;
  readonly y2: Float64Array;
  readonly fill: readonly string[];
  readonly title: readonly string[];
  /** End of the waiting part; equal to `x1` where there is none. */
  readonly waited: Float64Array;
  /** "" where nothing fits. */
  readonly text: readonly string[];
  readonly ink: readonly string[];
  /** Exact times in nanoseconds from the left edge: start, end of waiting, end of each bar. */
  readonly times: Float64Array;
  /** What may be written on each bar, from the longest to the shortest. */
  readonly candidates: readonly (readonly string[])[];
}

/** Horizontal place of a time in nanoseconds, to a hundredth of a pixel. */
export type TimeScale = (ns: number) => number;

/** Bars of some rows of a timeline; `begin` is the time at the left edge. */
export function makeBars(
  { timeline, rows, layout, scale, begin, where }: {
    timeline: Timeline;
    rows: readonly number[];
    layout: Layout;
    scale: TimeScale;
    begin: number;
    /** Name of a rank in tooltips; default `node 0 · rank 1`. */
    where?: (rank: number) => string | undefined;
  },
): Bars {
  const rank = numbers(timeline, "rank");
  const lane = column<string>(timeline, "lane");
  const kind = column<string>(timeline, "kind");
  const label = column<string>(timeline, "label");
  const chunk = column<number | null>(timeline, "chunk");
  const start = numbers(timeline, "start_ns");
  const end = numbers(timeline, "end_ns");
  const wait = numbers(timeline, "wait_ns");
  const name = column<string>(timeline, "name");
  const describe = tooltip(timeline, begin, where);
  const top = new Map(layout.rows.map((row) => [`${row.rank} ${row.lane}`, row.top]));
  const edges = () => new Float64Array(rows.length);
  const x1 = edges(), x2 = edges(), y1 = edges(), y2 = edges(), waited = edges();
  const fill: string[] = [], title: string[] = [], text: string[] = [], ink: string[] = [];
  const times = new Float64Array(3 * rows.length);
  const candidates: (readonly string[])[] = [];
  for (const [at, row] of rows.entries()) {
    const style = kindStyle(barKind(kind.at(row), label.at(row)));
    const from = scale(start.at(row));
    const to = scale(end.at(row));
    const y = top.get(`${rank.at(row)} ${lane.at(row)}`)!;
    x1[at] = from;
    // a hair of space between two bars, unless it would eat up the bar; never nothing at all
    x2[at] = Math.max(from + 0.75, to - from > 3 ? to - 0.75 : to);
    y1[at] = y + 1;
    y2[at] = y + layout.rowHeight - 1;
    waited[at] = Math.min(x2[at], scale(start.at(row) + wait.at(row)));
    fill.push(style.fill);
    title.push(describe(row));
    times.set(
      [start.at(row) - begin, start.at(row) + wait.at(row) - begin, end.at(row) - begin],
      3 * at,
    );
    candidates.push(texts(label.at(row), chunk.at(row), phaseOf(name.at(row), lane.at(row))));
    text.push(layout.roomy ? inside(candidates[at], x2[at] - waited[at], layout.fontSize) : "");
    ink.push(style.ink);
  }
  return { x1, x2, y1, y2, fill, title, waited, text, ink, times, candidates };
}

/** Phase of an all-to-all, where it has a name of its own and not that of its lane: `gather` of `A1[0] gather`. */
function phaseOf(name: string, lane: string): string | undefined {
  const [, phase] = /\]( .+)$/.exec(name) ?? [];
  return phase === undefined || phase === ` ${lane}` ? undefined : phase;
}

/** What may be written on a bar: letter, chunk and phase, or less of these; outside chunks the letter. */
function texts(label: string, chunk: number | null, phase?: string): readonly string[] {
  if (chunk === null) return [label];
  const short = [`${label} ${chunk}`, `${chunk}`];
  return phase === undefined ? short : [`${short[0]}${phase}`, ...short];
}

/** The first text that fits, "" when none does. */
function inside(texts: readonly string[], width: number, fontSize: number): string {
  return texts.find((text) => textWidth(text, fontSize) + 5 <= width) ?? "";
}

/** Tooltip of a row: what, where, when, how long, how much and how fast. */
function tooltip(
  timeline: Timeline,
  begin: number,
  where: (rank: number) => string | undefined = () => undefined,
): (row: number) => string {
  const name = column<string>(timeline, "name");
  const kind = column<string>(timeline, "kind");
  const rank = numbers(timeline, "rank");
  const node = numbers(timeline, "node");
  const lane = column<string>(timeline, "lane");
  const start = numbers(timeline, "start_ns");
  const end = numbers(timeline, "end_ns");
  const wait = numbers(timeline, "wait_ns");
  const bytes = numbers(timeline, "bytes");
  const flops = numbers(timeline, "flops");
  return (row) => {
    const waited = wait.at(row);
    const working = end.at(row) - start.at(row) - waited;
    const lines = [
      `${name.at(row)} · ${kindStyle(kind.at(row)).name}`,
      `${where(rank.at(row)) ?? `node ${node.at(row)} · rank ${rank.at(row)}`} · ${lane.at(row)}`,
      `start ${formatTime(start.at(row) - begin)} · duration ${formatTime(waited + working)}`,
    ];
    if (waited > 0) lines.push(`of that waiting for a peer ${formatTime(waited)}`);
    if (bytes.at(row) > 0) {
      const rate = working > 0 ? ` · ${formatRate(bytes.at(row), working, "B")}` : "";
      const what = isCommunication(kind.at(row)) ? "sent" : "memory traffic";
      lines.push(`${what} ${formatBytes(bytes.at(row))}${rate}`);
    }
    if (flops.at(row) > 0 && working > 0) {
      lines.push(formatRate(flops.at(row), working, "FLOP"));
    }
    return lines.join("\n");
  };
}
