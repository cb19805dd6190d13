/**
 * Picture and text of a run, just run or loaded.
 * @module
 */
import type { Program } from "../../engine.ts";
import { makespan } from "../measures/makespan.ts";
import { makespansOf, repeatsText } from "../measures/spread.ts";
import { verdict } from "../measures/verdict.ts";
import { saveRun } from "../table/save.ts";
import type { Timed, Timeline } from "../table/subject.ts";
import { chromeTrace, type ChromeTraceOptions } from "../trace/export.ts";
import { writeChromeTrace } from "../trace/file.ts";
import { displayable, escapeHtml, type MediaBundle } from "./display.ts";
import { titleOf } from "./facts.ts";
import { ganttForms, type GanttOptions, ganttSvg } from "./gantt.ts";
import { showLists } from "./lists.ts";
import { ganttPng, type PngOptions } from "./png.ts";

const DISPLAY = Symbol.for("Jupyter.display");

/**
 * As a cell's last value it shows its Gantt chart and its verdict; a list of runs, `[first, best]`, shows
 * all of them on one time axis, as `compare` does, and more than twelve as `report` does.
 */
export abstract class ShownRun implements Timed {
  abstract readonly name: string;
  abstract readonly configuration: Readonly<Record<string, string | number | boolean>>;
  /** One row for each operation; see `makeTimeline`. */
  abstract readonly timeline: Timeline;
  /** Seconds below which no schedule of this graph can come; undefined when it was not asked for. */
  abstract readonly bound: number | undefined;
  /** What makes the bound: a lane, a processor, or the longest chain. */
  abstract readonly boundLimit: string | undefined;

  constructor() {
    showLists((value) => value instanceof ShownRun);
  }

  /** Seconds from the first operation's start to the last one's end. */
  get makespan(): number {
    return makespan(this.timeline) * 1e-9;
  }

  /** Median of the makespans in seconds where the pass ran several times (`repeats`): that of this run. */
  get median(): number {
    return this.makespan;
  }

  /** The least of the makespans in seconds. */
  get least(): number {
    return Math.min(...makespansOf(this)) * 1e-9;
  }

  /** Seconds between the least and the largest of the makespans, 0 of a pass that ran once. */
  get spread(): number {
    return Math.max(...makespansOf(this)) * 1e-9 - this.least;
  }

  /** One line: makespan, hidden communication, distance to the bound. */
  get verdict(): string {
    return verdict(this);
  }

  /** Description of the run in one line. */
  get caption(): string {
    return Object.entries(this.configuration).map(([key, value]) => `${key} ${value}`).join(" · ");
  }

  /** Gantt chart as SVG text; the same as `ganttSvg(run)`. */
  svg(options: GanttOptions = {}): Promise<string> {
    return ganttSvg(this, options);
  }

  /** Gantt chart as SVG text; the same as `svg`. */
  gantt(options: GanttOptions = {}): Promise<string> {
    return this.svg(options);
  }

  /** Gantt chart as the bytes of a PNG; see `ganttPng`. */
  png(options: GanttOptions & PngOptions = {}): Promise<Uint8Array> {
    return ganttPng(this, options);
  }

  /** Saves it as a folder that `loadRun` reads; see `saveRun`. */
  save(folder: string | URL): Promise<void> {
    return saveRun(this, folder);
  }

  /**
   * Chrome trace as text, with arrows from each sender to its receivers; with a path it is written
   * there too, gzipped when that ends with `.gz`. See `chromeTrace`.
   */
  async trace(path?: string | URL, options: ChromeTraceOptions = {}): Promise<string> {
    // a run that was loaded has no Programs
    const { ran } = this as { readonly ran?: readonly { readonly program: Program }[] };
    const given = { ...(ran ? { programs: ran.map(({ program }) => program) } : {}), ...options };
    if (path !== undefined) await writeChromeTrace(this, path, given);
    return chromeTrace(this, given);
  }

  /** In a terminal, and in a list of runs, it is a line. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }

  /** The same line in a template. */
  toString(): string {
    return `${titleOf(this)}: ${this.verdict}`;
  }

  /** Shows its chart and verdict in a notebook. */
  async [DISPLAY](): Promise<MediaBundle> {
    const { repeats = [] } = this as Timed;
    const lines = [this.verdict, repeatsText(repeats), this.caption].filter((line) => line !== "");
    const text = lines.join("\n");
    const { svg, html: chart } = await ganttForms(this);
    const html = `<div>${chart}${
      lines.map((line) => `<div>${escapeHtml(line)}</div>`).join("")
    }</div>`;
    return await displayable({ text, svg, html })[DISPLAY]();
  }
}
