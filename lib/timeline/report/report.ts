/** @module */
import { aText, checkFields, expect, maybe } from "../../arguments/mod.ts";
import { SchemoeError } from "../../types.ts";
import { type Displayable, displayable, escapeHtml } from "../chart/display.ts";
import { titleOf } from "../chart/facts.ts";
import { compare } from "../measures/compare.ts";
import { makespan } from "../measures/makespan.ts";
import { alignedText } from "../table/aligned_text.ts";
import { column, oneRun, rows } from "../table/columns.ts";
import { formatTime } from "../table/format.ts";
import { refusePromise, renamed, type Subject, timed } from "../table/subject.ts";
import { didYouMean } from "../../words.ts";
import { factsHtml, PAGE_STYLE, STYLE, tableHtml } from "./html.ts";
import { type NamedRun, type ReportRows, reportRows } from "./rows.ts";

const TITLE = maybe(aText);

/** How a report is made. */
export interface ReportOptions {
  /** Heading; default: the number of runs. */
  readonly title?: string;
  /** Address of the picture of a run, by its name, such as a file beside the page. */
  readonly picture?: (name: string) => string | undefined;
  /** Runs that are drawn in the report itself, by name; default: of each pass the first and the shortest. */
  readonly charts?: readonly string[];
}

/** Runs beside each other, with all that is needed to understand them. */
export interface Report extends Displayable {
  /** A piece of HTML, as a notebook shows it. */
  html(): Promise<string>;
  /** A page of its own, which fetches nothing. */
  page(): Promise<string>;
  /** Writes the page. */
  save(path: string | URL): Promise<void>;
  /** The table as text. */
  toString(): string;
}

const OPTIONS = ["title", "picture", "charts"];

/**
 * Puts runs into one report: what they have in common, a table that sorts and filters, and the charts
 * of the first and the shortest run of each pass. A notebook shows it; `save("report.html")` writes a
 * page that holds everything and follows the reader's choice of light or dark.
 *
 * ```ts
 * import { createLayer, openEngine, report } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 2 });
 * const runs = [await layer.forward(), await layer.forward({ scheduler: "optSche", chunks: 2 })];
 * console.assert((await report(runs).page()).startsWith("<!doctype html>"));
 * ```
 * @throws {SchemoeError} for no runs, what is none, or an unknown option.
 */
export function report(given: readonly Subject[], options: ReportOptions = {}): Report {
  refusePromise(given, "report");
  if (!Array.isArray(given) || given.length === 0) {
    throw new SchemoeError("Cannot report: give a list of at least one run");
  }
  checkFields(options, OPTIONS, {
    what: "options",
    fail(problem) {
      throw new SchemoeError(`Cannot report: ${problem}`);
    },
  });
  const runs = given.map((run, i) => named(run, i));
  const names = new Set(runs.map(({ name }) => name));
  const missing = options.charts?.find((name) => !names.has(name));
  if (missing !== undefined) {
    throw new SchemoeError(
      `Cannot report: no run is called "${missing}"${didYouMean(missing, names)}`,
    );
  }
  expect("report", "options.title", options.title, TITLE);
  const title = options.title ?? `${runs.length} ${runs.length === 1 ? "run" : "runs"}`;
  const table = reportRows(runs);
  const html = async () => {
    const parts = [tableHtml(table, options.picture), await chartsHtml(runs, options)];
    // nobody looks for pictures below a table of some pages
    if (runs.length > MANY_RUNS) parts.reverse();
    return `<style>${STYLE}</style><div data-schemoe-report><h2>${escapeHtml(title)}</h2>` +
      `${factsHtml(runs)}${parts.join("")}<script>${await script()}</script></div>`;
  };
  const page = async () =>
    `<!doctype html>\n<html lang="en"><head><meta charset="utf-8">` +
    `<meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title>` +
    `<style>${PAGE_STYLE}</style></head><body>${await html()}</body></html>\n`;
  const text = textOf(title, table);
  return {
    html,
    page,
    async save(path) {
      const content = await page();
      try {
        await Deno.writeTextFile(path, content);
      } catch (cause) {
        if (cause instanceof Deno.errors.NotCapable) throw cause;
        const why = (cause as Error).message;
        throw new SchemoeError(`Cannot write the report ${path}: ${why}`, { cause });
      }
    },
    toString: () => text,
    async [Symbol.for("Jupyter.display")]() {
      return await displayable({ text, html: await html() })[Symbol.for("Jupyter.display")]();
    },
  };
}

/** From this many runs on the charts come before the table. */
const MANY_RUNS = 24;

async function script(): Promise<string> {
  return (await import("./report.js", { with: { type: "text" } })).default;
}

/** A run with a name and a pass, which a timeline has in its columns. */
function named(subject: Subject, item: number): NamedRun {
  const run = timed(subject, `report item ${item}`);
  const { timeline } = run;
  const [first] = rows(timeline);
  const pass = run.pass ??
    (first === undefined ? "" : column<string>(timeline, "pass").at(first));
  return renamed(run, { name: run.name ?? oneRun(timeline), pass });
}

/** Charts of some runs, those of one pass on one time axis. */
async function chartsHtml(runs: readonly NamedRun[], options: ReportOptions): Promise<string> {
  const parts = [];
  for (const [pass, all] of Map.groupBy(runs, ({ pass }) => pass)) {
    const shortest = all.reduce((a, b) => makespan(b) < makespan(a) ? b : a);
    const chosen = options.charts
      ? all.filter(({ name }) => options.charts!.includes(name))
      : [...new Set([all[0], shortest])];
    if (chosen.length === 0) continue;
    const what = chosen.map((run) => `${titleOf(run)}, ${formatTime(makespan(run))}`).join("; ");
    parts.push(
      `<h3>${escapeHtml(pass)}</h3><p>${escapeHtml(what)}</p>${await compare(chosen).html()}`,
    );
  }
  return parts.join("");
}

function textOf(title: string, { head, rows }: ReportRows): string {
  const lines = [
    head.map(({ name }) => name),
    ...rows.map((cells) => cells.map(({ text }) => text)),
  ];
  return `${title}\n${alignedText(lines, (i) => head[i].numeric)}`;
}
