/** @module */
import { table } from "arquero";
import { SchemoeError } from "../../types.ts";
import { arrange, both } from "../chart/arrange.ts";
import { oneRun, type Timeline } from "../table/columns.ts";
import { choicesOf, passOf, sizesText, worldText } from "../chart/facts.ts";
import {
  refusePromise,
  renamed,
  type Subject,
  type Timed,
  timed,
  worldOf,
} from "../table/subject.ts";
import { communication } from "./communication.ts";
import { type Displayable, displayable } from "../chart/display.ts";
import { formatTime } from "../table/format.ts";
import { checked, drawn, type GanttOptions } from "../chart/gantt.ts";
import { disturbance } from "./disturbance.ts";
import { makespan } from "./makespan.ts";
import { differClearly, isMeasured, makespansOf } from "./spread.ts";
import { makeDocument } from "../chart/plot.ts";
import { type PngOptions, svgToPng } from "../chart/png.ts";
import { showHtml, showText } from "../chart/show.ts";
import { stack } from "../table/stack.ts";
import { verdict } from "./verdict.ts";
import type { Theme } from "../chart/theme.ts";
import { zoomHtml } from "../chart/zoom.ts";

/** One of the runs that are compared: a run or a timeline. */
export type Compared = Subject;

/** Runs beside each other: shows Gantt charts on one time axis, and a table. */
export interface Comparison extends Displayable {
  /**
   * `run`, `makespan_ns`, `difference_ns` and `speed_up` to the first run, `hidden` (fraction of
   * communication), `exposed_ns` and `waiting_ns` (means over ranks) and, when a run has a bound,
   * `above_bound` (fraction). Of runs that were measured also `spread_ns`, the largest makespan less
   * the smallest of the repeats, and `clear`: whether the ranges of this run and the first do not
   * overlap, null where one of them ran only once; of disturbed ones, `disturbed`, the part of the run that
   * was lost. Where passes differ, `run` tells them too.
   */
  readonly table: Timeline;
  /** The charts below each other as one SVG. */
  svg(): Promise<string>;
  /** The same picture as the bytes of a PNG. @throws {SchemoeError} for a scale that is none. */
  png(options?: PngOptions): Promise<Uint8Array>;
  /** The charts as HTML, zoomed together. */
  html(): Promise<string>;
  /** The table as text. */
  toString(): string;
}

/** Groups of equal ranks that each chart shows. */
const MOST_RANKS = 4;

/**
 * Compares runs: aligned Gantt charts on one time axis, and a table of makespan, communication and
 * distance to the bound with the differences to the first run.
 *
 * ```ts
 * import { compare, fromCSV } from "@schemoe/lab/timeline";
 * const head = "run,pass,rank,node,lane,kind,chunk,name,label,ready_ns,start_ns,end_ns,wait_ns,bytes,flops,deps";
 * const run = (name: string, end: number) => ({
 *   name,
 *   timeline: fromCSV(`${head}\n${name},forward,0,0,compute,expert,0,E[0],E,0,0,${end},0,0,0,\n`),
 * });
 * const found = compare([run("slow", 20), run("fast", 10)]);
 * console.assert(found.table.get("speed_up", 1) === 2);
 * ```
 * @param options of the charts; `title` is not one of them. By default each shows its first 4 groups
 * of equal ranks.
 * @throws {SchemoeError} for no runs, or what `gantt` throws.
 */
export function compare(
  runs: readonly Subject[],
  options: Omit<GanttOptions, "title" | "document"> = {},
): Comparison {
  refusePromise(runs, "compare");
  if (!Array.isArray(runs) || runs.length === 0) {
    throw new SchemoeError("Cannot compare: give a list of at least one run");
  }
  const named = withPasses(runs.map((run, i) => nameIt(run, `compare item ${i}`)));
  const given = checked(options);
  if ("title" in given) {
    throw new SchemoeError(
      `Cannot compare: each chart is titled by the name of its run, leave "title" out`,
    );
  }
  const summary = summarize(named);
  const charts = async (theme = given.theme) => {
    const span = Math.max(1, ...named.map(makespan));
    const most = given.ranks ? undefined : MOST_RANKS;
    const first = named.map((run) => arrange(run, given, { span, most }));
    const left = Math.max(...first.map(({ chart }) => chart.layout.left));
    const legend = first.map(({ needs }) => needs).reduce((a, b) => both(a, b));
    const document = await makeDocument();
    const drawings = [];
    for (const [i, run] of named.entries()) {
      const title = `${run.name} · ${formatTime(makespan(run))}${
        i > 0 ? difference(summary, i) : ""
      }`;
      const lines = given.lines ?? linesOf(run, named[i - 1]);
      const shared = { span, left, most, legend: i === 0 ? legend : null };
      const arranged = arrange(run, { ...given, title, lines }, shared);
      const element = await drawn(arranged, { document, theme });
      drawings.push({ svg: element.outerHTML as string, zoom: arranged.zoom });
    }
    return drawings;
  };
  const svg = async (theme?: Theme) => stack((await charts(theme)).map((chart) => chart.svg));
  const html = async () => await zoomHtml(await charts());
  const filled = withoutEmpty(summary);
  const text = showText(filled);
  return {
    table: summary,
    svg: () => svg(),
    png: async (options = {}) => await svgToPng(await svg(given.theme ?? "light"), options),
    html,
    toString: () => text,
    async [Symbol.for("Jupyter.display")]() {
      const shown = displayable({
        text,
        svg: await svg(),
        html: `<div>${await html()}${showHtml(filled)}</div>`,
      });
      return await shown[Symbol.for("Jupyter.display")]();
    },
  };
}

type Named = Timed & { readonly name: string };

/** A run with a name, which a timeline has in its column `run`. */
function nameIt(subject: Subject, doing: string): Named {
  const run = timed(subject, doing);
  return renamed(run, { name: run.name ?? oneRun(run.timeline), pass: run.pass });
}

/** The same, with the pass in each name where passes differ. */
function withPasses(runs: readonly Named[]): readonly Named[] {
  const passes = runs.map((run) => run.pass ?? passOf(run));
  if (passes.every((pass) => pass === passes[0])) return runs;
  return runs.map((run, i) =>
    passes[i] === "" ? run : renamed(run, { name: `${run.name}, ${passes[i]}`, pass: run.pass })
  );
}

/** Choices of a run, its sizes and its world where they differ from the chart above, and the verdict. */
function linesOf(run: Timed, above: Timed | undefined): string[] {
  const [world, other] = [run, above].map((of) => {
    const topology = of && worldOf(of);
    return topology && worldText(topology, `${of.configuration?.engine ?? ""}`);
  });
  const [sizes, before] = [run, above].map((of) => sizesText(of?.configuration));
  return [
    choicesOf(run),
    sizes === before ? "" : sizes,
    world && world !== other ? world : "",
    verdict(run),
  ].filter((line) => line !== "");
}

function difference(summary: Timeline, i: number): string {
  const speedUp = summary.get("speed_up", i) as number;
  const change = summary.get("difference_ns", i) as number;
  const trust = summary.column("clear") ? summary.get("clear", i) as boolean | null : true;
  const held = summary.column("disturbed") !== undefined &&
    [0, i].some((row) => summary.get("disturbed", row) !== null);
  const doubt = held
    ? ", disturbed"
    : trust === null
    ? ", one run of each"
    : trust
    ? ""
    : ", within the spread";
  if (Math.abs(speedUp - 1) < 0.0005) return " · as long as the first";
  return ` · ${formatTime(Math.abs(change))} ${
    change < 0 ? "shorter" : "longer"
  } than the first${doubt}`;
}

function summarize(runs: readonly Named[]): Timeline {
  const rows = runs.map(({ name, timeline, bound }) => {
    const { total, hidden, exposed, waiting, ranks } = communication(timeline);
    const ns = makespan(timeline);
    const count = Math.max(1, ranks.numRows());
    return {
      name,
      ns,
      hidden: hidden / total,
      exposed: exposed / count,
      waiting: waiting / count,
      above: bound === undefined ? undefined : rounded(ns / (bound * 1e9) - 1),
    };
  });
  const [base] = rows;
  const disturbed = runs.map((run) => disturbance(run.timeline)?.share ?? null);
  const measured = runs.some(isMeasured);
  const spread = runs.map((run) => {
    const all = makespansOf(run);
    return isMeasured(run) && all.length < 2 ? null : Math.max(...all) - Math.min(...all);
  });
  const bounded = rows.some(({ above }) => above !== undefined);
  return table({
    run: rows.map(({ name }) => name),
    makespan_ns: Float64Array.from(rows, ({ ns }) => ns),
    difference_ns: Float64Array.from(rows, ({ ns }) => ns - base.ns),
    speed_up: Float64Array.from(rows, ({ ns }) => base.ns === ns ? 1 : base.ns / ns),
    hidden: rows.map(({ hidden }) => Number.isNaN(hidden) ? null : hidden),
    exposed_ns: Float64Array.from(rows, ({ exposed }) => exposed),
    waiting_ns: Float64Array.from(rows, ({ waiting }) => waiting),
    ...(bounded ? { above_bound: rows.map(({ above }) => above ?? null) } : {}),
    ...(measured
      ? { spread_ns: spread, clear: runs.map((run) => differClearly(runs[0], run)) }
      : {}),
    ...(disturbed.some((factor) => factor !== null) ? { disturbed } : {}),
  });
}

/** Without the columns that hold nothing, such as the spread of runs that ran once. */
const withoutEmpty = (table: Timeline): Timeline =>
  table.select(table.columnNames((name) => table.array(name).some((value) => value !== null)));

/** Without the rounding of floating point around zero. */
const rounded = (fraction: number) => Math.round(fraction * 1e9) / 1e9 || 0;
