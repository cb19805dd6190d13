/**
 * Gantt charts of timelines.
 * @module
 */
import { checkFields } from "../../arguments/mod.ts";
import { SchemoeError } from "../../types.ts";
import { arrange, type Arranged } from "./arrange.ts";
import type { Subject } from "../table/subject.ts";
import { type MediaBundle, sendBundle } from "./display.ts";
import { draw } from "./draw.ts";
import { type DocumentLike, loadPlot, makeDocument } from "./plot.ts";
import type { GanttOptions } from "./options.ts";
import { applyTheme, type Theme } from "./theme.ts";
import { zoomHtml } from "./zoom.ts";
import { quoted } from "../../words.ts";

export type { GanttOptions };

/** An SVG element that shows itself in a notebook. */
export interface GanttElement {
  /** The SVG as text, with its namespace. */
  readonly outerHTML: string;
  /** At `Symbol.for("Jupyter.display")`: gives what Jupyter shows. */
  [key: symbol]: () => Promise<MediaBundle>;
}

const OPTIONS: Record<keyof GanttOptions, true> = {
  document: true,
  width: true,
  title: true,
  lines: true,
  theme: true,
  ranks: true,
  fold: true,
  criticalPath: true,
  waits: true,
  memory: true,
};

/**
 * Draws a run or its timeline: one row for each rank and lane, time to the right, colour by kind of task,
 * chunk in the bar, waiting for a peer paler at the beginning of the bar. Where a rank communicates
 * and computes nothing, its compute row is tinted. Lanes that no rank uses are left out, and ranks
 * that look the same are shown once; a line below says which. In a notebook it can be zoomed.
 *
 * `waits` writes into each gap what it waits for, `memory` adds a row of the memory in use.
 *
 * Above it: pass, choices, engine, ranks and links, and the verdict, as far as they
 * are known. The axis begins at the earliest start. The picture depends on nothing but the arguments,
 * and is dark on dark pages. Loads Observable Plot, and linkedom when given no document.
 *
 * ```ts
 * import { createLayer, gantt, openEngine } from "@schemoe/lab";
 * const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 });
 * const run = await layer.forward({ scheduler: "optSche", chunks: 4 });
 * await gantt(run, { waits: true, title: "forward" }); // a cell's last value
 * ```
 * @throws {SchemoeError} naming an unknown option, a column or rank that the timeline lacks, or the
 * runs when there are several; with `memory` where there are no Programs.
 */
export async function gantt(run: Subject, options: GanttOptions = {}): Promise<GanttElement> {
  const arranged = arrange(run, checked(options));
  const element = await drawn(arranged, options);
  return Object.assign(element, {
    [Symbol.for("Jupyter.display")]: async () =>
      await sendBundle({
        "text/html": await zoomHtml([{ svg: element.outerHTML, zoom: arranged.zoom }]),
        "image/svg+xml": element.outerHTML,
        "text/plain": arranged.chart.title,
      }),
  });
}

/** Text of the SVG that `gantt` draws, for a file or a paper. */
export async function ganttSvg(run: Subject, options: GanttOptions = {}): Promise<string> {
  return (await gantt(run, options)).outerHTML;
}

/**
 * The same as a piece of HTML that zooms by wheel, drag, buttons and double click, with tooltips. It
 * holds all that it needs, and fetches nothing.
 */
export async function ganttHtml(run: Subject, options: GanttOptions = {}): Promise<string> {
  return (await ganttForms(run, options)).html;
}

/** The chart as SVG and as HTML that zooms, drawn once. */
export async function ganttForms(
  run: Subject,
  options: GanttOptions = {},
): Promise<{ readonly svg: string; readonly html: string }> {
  const arranged = arrange(run, checked(options));
  const { outerHTML: svg } = await drawn(arranged, options);
  return { svg, html: await zoomHtml([{ svg, zoom: arranged.zoom }]) };
}

/** Draws what was arranged, as an element with its namespace. */
export async function drawn(
  { chart }: Arranged,
  { document, theme = "auto" }: { readonly document?: DocumentLike; readonly theme?: Theme } = {},
) {
  const Plot = await loadPlot();
  const page = document ?? await makeDocument();
  const element = draw(Plot, chart, page);
  element.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  applyTheme(element, theme, page);
  return element;
}

/** Options without a mistake. */
export function checked(options: GanttOptions): GanttOptions {
  const fail = (problem: string): never => {
    throw new SchemoeError(`Cannot draw the Gantt chart: ${problem}`);
  };
  checkFields(options, Object.keys(OPTIONS), { what: "options", fail });
  const { width, ranks, fold, lines, theme } = options;
  if (width !== undefined && !(typeof width === "number" && width >= 400 && width <= 20_000)) {
    fail(`width is ${quoted(width)}, not a number of pixels from 400 to 20000`);
  }
  if (lines !== undefined && !(Array.isArray(lines) && lines.every((l) => typeof l === "string"))) {
    fail("lines is not a list of texts");
  }
  if (theme !== undefined && !["auto", "light", "dark"].includes(theme)) {
    fail(`theme is ${JSON.stringify(theme)}, not "auto", "light" or "dark"`);
  }
  if (ranks !== undefined && ranks.length === 0) fail("ranks is empty");
  if (
    fold !== undefined && fold !== false && !(typeof fold === "number" && fold >= 0 && fold < 1)
  ) {
    fail(`fold is ${quoted(fold)}, not false or a part of the makespan from 0 to 1`);
  }
  return options;
}
