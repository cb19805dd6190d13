/** @module */
import type { ColumnTable } from "arquero";
import { SchemoeError } from "../../types.ts";
import { alignedText } from "../table/aligned_text.ts";
import { type Displayable, displayable, escapeHtml } from "./display.ts";
import { formatBytes, formatTime } from "../table/format.ts";
import { rateText } from "../../units.ts";

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
 * A table that shows itself as one when it is the last value of a cell.
 *
 * Numbers are right aligned, with four significant digits; columns called `..._ns` are shown as times
 * and `bytes` with its unit, so that the names lose their unit. Rows beyond `limit` are left out, and
 * a line below says so.
 *
 * ```ts
 * import { show } from "@schemoe/lab/timeline";
 * import { table } from "npm:arquero@8.0.3";
 * const shown = show(table({ name: ["a", "b"], wait_ns: [1500, 2] }));
 * console.assert(`${shown}`.includes("1.50 us"));
 * ```
 * @throws {SchemoeError} when it is not an Arquero table, or the limit is not a positive integer.
 */
export function show(table: ColumnTable, options: ShowOptions = {}): Displayable {
  const { title } = options;
  const cells = cellsOf(table, options);
  const text = [...(title ? [title] : []), tableText(cells)].join("\n");
  const heading = title ? `<div>${escapeHtml(title)}</div>` : "";
  const html = `<div>${heading}${tableHtml(cells)}</div>`;
  return Object.assign(displayable({ text, html }), { toString: () => text });
}

/** The same as HTML alone, to be put together with more. */
export function showHtml(table: ColumnTable, options: ShowOptions = {}): string {
  return tableHtml(cellsOf(table, options));
}

/** The same as text alone. */
export function showText(table: ColumnTable, options: ShowOptions = {}): string {
  return tableText(cellsOf(table, options));
}

function cellsOf(table: ColumnTable, { limit = 50 }: ShowOptions): Cells {
  if (typeof table?.columnNames !== "function") {
    throw new SchemoeError("Cannot show the table: it is not an Arquero table");
  }
  if (!(Number.isInteger(limit) && limit > 0)) {
    throw new SchemoeError(`Cannot show the table: limit is ${limit}, not a positive integer`);
  }
  const names = table.columnNames();
  const indices = Array.from(table.indices());
  const shown = indices.slice(0, limit);
  const columns = names.map((name) => {
    const column = table.column(name)!;
    const values = shown.map((row): unknown => column.at(row));
    const numeric = values.some((value) => typeof value === "number") &&
      values.every((value) => value == null || typeof value === "number");
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

/** Heading of a column and how its values are written. */
function cell(name: string, numeric: boolean): { head: string; text: (value: unknown) => string } {
  const as = (format: (value: number) => string) => (value: unknown) =>
    typeof value === "number" && Number.isFinite(value) ? format(value) : plain(value);
  if (numeric && name.endsWith("_ns")) {
    return { head: spaced(name.slice(0, -3)), text: as(formatTime) };
  }
  if (numeric && name === "ns") return { head: "time", text: as(formatTime) };
  if (numeric && name === "bytes") return { head: name, text: as(formatBytes) };
  if (numeric && name === "flops_per_second") {
    return { head: "speed", text: as((value) => rateText(value, "FLOP/s")) };
  }
  if (numeric && name === "bytes_per_second") {
    return { head: "rate", text: as((value) => `${formatBytes(value)}/s`) };
  }
  return { head: spaced(name), text: plain };
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
