/** @module */
import { anything, aText, expect, maybe, options } from "../../arguments/mod.ts";
import type { ColumnTable } from "arquero";
import { SchemoeError } from "../../types.ts";
import { isTable, type Timed } from "../table/subject.ts";
import { alignedText } from "../table/aligned_text.ts";
import { type Displayable, displayable, escapeHtml } from "./display.ts";
import { formatBytes, formatPercent, formatTime, scaled } from "../table/format.ts";
import { rateText } from "../../units.ts";
import { quoted } from "../../words.ts";

const SHOW_OPTIONS = options({ limit: anything, title: maybe(aText) });

/** How a table is shown. */
export interface ShowOptions {
  /** Rows that are shown at most; default 50. */
  readonly limit?: number;
  /** Line above the table. */
  readonly title?: string;
}

/** A table as text, cell by cell. */
interface Cells {
  readonly head: readonly string[];
  /** For each column whether it holds nothing but numbers. */
  readonly numeric: readonly boolean[];
  readonly rows: readonly (readonly string[])[];
  /** Note below: that the table was cut. */
  readonly note: string;
}

/**
 * A table, or the timeline of a run, that shows itself as a table when it is the last value of a cell.
 *
 * Numbers are right aligned, with four significant digits. A column whose name this package gives a
 * meaning is shown with its unit: `..._ns` as times, `bytes`, `flops`, rates of both (`bytes_per_second`,
 * `flops_per_second`), fractions (`hidden`, `above_bound`, `of_roof`, `disturbed`) in percent and ratios (`speed_up`,
 * `over_mean`) as `2.31x`. Rows beyond `limit` are left out, and a line below says so.
 *
 * ```ts
 * import { show } from "@schemoe/lab/timeline";
 * import { table } from "npm:arquero@8.0.3";
 * const shown = show(table({ name: ["a", "b"], wait_ns: [1500, 2] }));
 * console.assert(`${shown}`.includes("1.50 us"));
 * ```
 * @throws {SchemoeError} when it is neither an Arquero table nor a run, or the limit is not a positive integer.
 */
export function show(table: ColumnTable | Timed, options: ShowOptions = {}): Displayable {
  expect("show", "options", options, SHOW_OPTIONS);
  const { title } = options;
  const cells = cellsOf(table, options);
  const text = [...(title ? [title] : []), tableText(cells)].join("\n");
  const heading = title ? `<div>${escapeHtml(title)}</div>` : "";
  const html = `<div>${heading}${tableHtml(cells)}</div>`;
  return displayable({ text, html });
}

/** The same as HTML alone, to be put together with more. */
export function showHtml(table: ColumnTable | Timed, options: ShowOptions = {}): string {
  return tableHtml(cellsOf(table, options));
}

/** The same as text alone. */
export function showText(table: ColumnTable | Timed, options: ShowOptions = {}): string {
  return tableText(cellsOf(table, options));
}

function cellsOf(given: ColumnTable | Timed, { limit = 50 }: ShowOptions): Cells {
  const table = isTable(given) ? given : (given as Partial<Timed> | undefined)?.timeline!;
  if (typeof table?.columnNames !== "function") {
    throw new SchemoeError("Cannot show the table: it is neither an Arquero table nor a run");
  }
  if (!(Number.isInteger(limit) && limit > 0)) {
    throw new SchemoeError(
      `Cannot show the table: limit is ${quoted(limit)}, not a positive integer`,
    );
  }
  const names = table.columnNames();
  const indices = Array.from(table.indices());
  const shown = indices.slice(0, limit);
  const columns = names.map((name) => {
    const column = table.column(name)!;
    const values = shown.map((row): unknown => column.at(row));
    // of a column without values only the name is shown, as that of one with values
    const numeric = values.every((value) => value == null || typeof value === "number") &&
      (values.some((value) => value != null) || unitOf(name) !== undefined);
    return { ...cell(name, numeric), numeric, values };
  });
  return {
    head: columns.map(({ head }) => head),
    numeric: columns.map(({ numeric }) => numeric),
    rows: shown.map((_, row) => columns.map(({ text, values }) => text(values[row]))),
    note: shown.length < indices.length
      ? `${shown.length} of ${indices.length} rows shown`
      : indices.length === 0
      ? "no rows"
      : "",
  };
}

/** Columns of this package that hold fractions, and those that hold ratios. */
const FRACTIONS = ["hidden", "above_bound", "of_roof", "disturbed"];
const RATIOS = ["speed_up", "over_mean"];

/** How the numbers of a column are written, and its heading without the unit; undefined for plain numbers. */
function unitOf(name: string): { head: string; text: (value: number) => string } | undefined {
  if (name === "ns") return { head: "time", text: formatTime };
  if (name.endsWith("_ns")) return { head: spaced(name.slice(0, -3)), text: formatTime };
  if (name === "bytes") return { head: name, text: formatBytes };
  if (name === "flops") return { head: name, text: (value) => scaled(value, "FLOP") };
  if (name === "flops_per_second") {
    return { head: "speed", text: (value) => rateText(value, "FLOP/s") };
  }
  if (name === "bytes_per_second") {
    return { head: "rate", text: (value) => `${formatBytes(value)}/s` };
  }
  if (FRACTIONS.includes(name)) return { head: spaced(name), text: formatPercent };
  if (RATIOS.includes(name)) {
    return { head: spaced(name), text: (value) => `${value.toFixed(2)}x` };
  }
  return undefined;
}

/** Heading of a column and how its values are written. */
function cell(name: string, numeric: boolean): { head: string; text: (value: unknown) => string } {
  const unit = numeric ? unitOf(name) : undefined;
  if (!unit) return { head: spaced(name), text: plain };
  return {
    head: unit.head,
    text: (value) =>
      typeof value === "number" && Number.isFinite(value) ? unit.text(value) : plain(value),
  };
}

const spaced = (name: string) => name.replaceAll("_", " ");

function plain(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number" || Number.isInteger(value)) return `${value}`;
  return `${Number(value.toPrecision(4))}`;
}

function tableText({ head, numeric, rows, note }: Cells): string {
  const text = alignedText([head, ...rows], (i) => numeric[i]);
  return note ? `${text}\n${note}` : text;
}

function tableHtml({ head, numeric, rows, note }: Cells): string {
  // inherited colours: the page may be light or dark
  const style = (i: number) =>
    `style="text-align:${numeric[i] ? "right" : "left"};padding:2px 10px;white-space:nowrap"`;
  const cells = (texts: readonly string[], tag: string) =>
    `<tr>${
      texts.map((text, i) => `<${tag} ${style(i)}>${escapeHtml(text)}</${tag}>`).join("")
    }</tr>`;
  const below = note ? `<div style="opacity:.75">${note}</div>` : "";
  return `<div style="overflow-x:auto"><table style="border-collapse:collapse;margin:4px 0">` +
    `<thead>${cells(head, "th")}</thead><tbody>${rows.map((row) => cells(row, "td")).join("")}` +
    `</tbody></table></div>${below}`;
}
