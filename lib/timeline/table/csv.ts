/**
 * Timelines as comma-separated values (RFC 4180), and back.
 * @module
 */
import { table } from "arquero";
import { SchemoeError } from "../../types.ts";
import { column, rows, TEXT_COLUMNS, type Timeline, TIMELINE_COLUMNS } from "./columns.ts";
import { type Subject, timelineOf } from "./subject.ts";

type Value = string | number | null;

/**
 * A timeline as comma-separated values with a header line. Null is an empty field, the empty text a
 * quoted one: `""`.
 *
 * ```ts
 * import { createLayer, fromCSV, openEngine, toCSV } from "@schemoe/lab";
 * const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 });
 * const run = await layer.forward({ scheduler: "optSche", chunks: 4 });
 * console.assert(fromCSV(toCSV(run)).numRows() === run.timeline.numRows());
 * ```
 * @throws {SchemoeError} naming a column that is missing.
 */
export function toCSV(subject: Subject): string {
  const timeline = timelineOf(subject);
  for (const name of TIMELINE_COLUMNS) column(timeline, name);
  const names = timeline.columnNames();
  const columns = names.map((name) => timeline.column(name)!);
  const lines = [names.map(fieldOf).join(",")];
  for (const row of rows(timeline)) {
    lines.push(columns.map((values) => fieldOf(values.at(row))).join(","));
  }
  return `${lines.join("\n")}\n`;
}

function fieldOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = Object.is(value, -0) ? "-0" : String(value);
  const plain = typeof value !== "string" || (text !== "" && !/[",\r\n]|^\s|\s$/.test(text));
  return plain ? text : `"${text.replaceAll('"', '""')}"`;
}

/**
 * The timeline that `toCSV` wrote. Columns besides those of a timeline are numbers where all of their
 * values are, else texts.
 *
 * @throws {SchemoeError} naming a column that is missing, or the line and value that cannot be read.
 */
export function fromCSV(text: string): Timeline {
  if (typeof text !== "string" || text.trim() === "") {
    fail("give the text of a CSV file with a header line");
  }
  const [header, ...records] = recordsOf(text.replace(/^\ufeff/, ""));
  const names = header.fields.map((field) => field ?? "");
  const double = names.find((name, i) => names.indexOf(name) < i);
  if (double !== undefined) fail(`it has the column "${double}" twice`);
  for (const { fields, line } of records) {
    if (fields.length !== names.length) {
      fail(`line ${line} has ${fields.length} fields, the header has ${names.length}`);
    }
  }
  const columns = names.map((name, i) => {
    const values = records.map(({ fields }) => fields[i]);
    if (TEXT_COLUMNS.has(name)) return [name, values] as const;
    const known = (TIMELINE_COLUMNS as readonly string[]).includes(name);
    if (!known && !values.every((value) => value === null || isNumber(value))) {
      return [name, values] as const;
    }
    const numbers = values.map((value, row): Value => {
      if (value === null || isNumber(value)) return value === null ? null : Number(value);
      return fail(
        `line ${records[row].line} has ${
          JSON.stringify(value.slice(0, 60))
        } as "${name}", not a number`,
      );
    });
    return [name, numbers] as const;
  });
  const read = table(Object.fromEntries(columns), names);
  for (const name of TIMELINE_COLUMNS) column(read, name);
  return read;
}

/** What `String` makes of a number. */
const isNumber = (text: string): boolean =>
  /^\s*(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|-?Infinity|NaN)\s*$/i.test(text);

/** Fields of one record, null for an empty one without quotes, and the line on which it begins. */
interface CsvRecord {
  readonly fields: (string | null)[];
  readonly line: number;
}

/** A field and what ends it: a quoted one may hold anything, quotes doubled. */
const FIELD = /(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;

function recordsOf(text: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  let fields: (string | null)[] = [];
  let [line, first] = [1, 1];
  FIELD.lastIndex = 0;
  while (FIELD.lastIndex < text.length || fields.length > 0) {
    const at = FIELD.lastIndex;
    const found = FIELD.exec(text);
    if (!found) return fail(`line ${line} has a quote that does not end, or text beside quotes`);
    const [all, quoted, plain, end] = found;
    fields.push(quoted === undefined ? plain || null : quoted.replaceAll('""', '"'));
    if (quoted !== undefined) line += quoted.split(/\r\n|\n|\r/).length - 1;
    if (end === ",") continue;
    line++;
    // A line without anything is none.
    if (all.length > end.length || fields.length > 1) records.push({ fields, line: first });
    [fields, first] = [[], line];
    if (FIELD.lastIndex === at) break;
  }
  return records;
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot read the timeline: ${problem}`);
}
