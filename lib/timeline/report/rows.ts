/** Rows and columns of a report. @module */
import { communication } from "../measures/communication.ts";
import { type Disturbance, disturbance, disturbedText } from "../measures/disturbance.ts";
import { makespan } from "../measures/makespan.ts";
import { differClearly, isMeasured, makespansOf } from "../measures/spread.ts";
import { formatPercent, formatTime } from "../table/format.ts";
import type { Timed } from "../table/subject.ts";

/** A cell: its text, and its sort key. */
export interface ReportCell {
  readonly text: string;
  readonly value: string | number;
  /** Why it is marked, such as a disturbed run. */
  readonly note?: string;
}

/** A run with a name and a pass. */
export type NamedRun = Timed & { readonly name: string; readonly pass: string };

/** Columns by heading, and rows in the order of the runs. */
export interface ReportRows {
  readonly head: readonly { readonly name: string; readonly numeric: boolean }[];
  readonly rows: readonly (readonly ReportCell[])[];
}

/** Fields of a configuration that differ between runs most often, in this order. */
const CHOICES = ["scheduler", "allToAll", "compressor", "chunks"];
const HEADINGS: Readonly<Record<string, string>> = { allToAll: "all-to-all", compressor: "codec" };

/** Fields of a configuration that are not the same in all runs. */
export function differing(runs: readonly NamedRun[]): string[] {
  const names = new Set(runs.flatMap(({ configuration }) => Object.keys(configuration ?? {})));
  const differ = (name: string) =>
    new Set(runs.map(({ configuration }) => configuration?.[name])).size > 1;
  // the pass has a column of its own
  const rest = [...names].filter((name) => !CHOICES.includes(name) && name !== "pass");
  return [...CHOICES.filter((name) => names.has(name)), ...rest].filter(differ);
}

/** Rows of a report; speed-ups are over the first run of the same pass. */
export function reportRows(runs: readonly NamedRun[]): ReportRows {
  const varying = differing(runs);
  const fields = varying.filter((name) => CHOICES.includes(name));
  // what few runs differ in comes last, so that times are seen without scrolling
  const others = varying.filter((name) => !CHOICES.includes(name));
  const passes = new Set(runs.map(({ pass }) => pass)).size > 1;
  const bounded = runs.some(({ bound }) => bound !== undefined);
  const measured = runs.some(isMeasured);
  const found = runs.map((run) => disturbance(run.timeline));
  const disturbed = found.some((one) => one !== undefined);
  const head = [
    { name: "run", numeric: false },
    ...fields.map(headOf),
    ...(passes ? [{ name: "pass", numeric: false }] : []),
    ...["makespan", "speed-up", "hidden"].map((name) => ({ name, numeric: true })),
    ...(bounded ? [{ name: "above bound", numeric: true }] : []),
    ...(measured ? [{ name: "spread", numeric: true }] : []),
    ...(disturbed ? [{ name: "disturbed", numeric: true }] : []),
    ...others.map(headOf),
  ];
  const rows = runs.map((run, i) => {
    const base = runs.find(({ pass }) => pass === run.pass)!;
    return [
      text(run.name),
      ...fields.map((name) => text(run.configuration?.[name] ?? "")),
      ...(passes ? [text(run.pass)] : []),
      time(makespan(run)),
      speedUp(run, base),
      hidden(run),
      ...(bounded ? [aboveBound(run)] : []),
      ...(measured ? [spread(run)] : []),
      ...(disturbed ? [disturbedCell(found[i])] : []),
      ...others.map((name) => text(run.configuration?.[name] ?? "")),
    ];
  });
  return { head, rows };
}

const headOf = (name: string) => ({ name: HEADINGS[name] ?? name, numeric: name === "chunks" });

const text = (value: string | number | boolean): ReportCell => ({
  text: `${value}`,
  value: typeof value === "boolean" ? `${value}` : value,
});

const time = (ns: number): ReportCell => ({ text: formatTime(ns), value: ns });

function speedUp(run: NamedRun, base: NamedRun): ReportCell {
  const value = makespan(base) / makespan(run);
  const clear = run === base ? true : differClearly(base, run);
  const note = clear === null
    ? "one run of each: nobody knows the spread"
    : clear
    ? undefined
    : "within the spread of the repeats";
  const mark = note ? " ~" : "";
  return { text: `${value.toFixed(2)}x${mark}`, value, ...(note ? { note } : {}) };
}

function hidden(run: NamedRun): ReportCell {
  const { hidden, total } = communication(run);
  return total > 0
    ? { text: formatPercent(hidden / total), value: hidden / total }
    : { text: "", value: -1 };
}

function aboveBound(run: NamedRun): ReportCell {
  if (run.bound === undefined) return { text: "", value: Infinity };
  const value = makespan(run) / (run.bound * 1e9) - 1;
  return { text: formatPercent(value), value };
}

function spread(run: NamedRun): ReportCell {
  const all = makespansOf(run);
  if (all.length < 2) return { text: "", value: -1 };
  return time(Math.max(...all) - Math.min(...all));
}

function disturbedCell(found: Disturbance | undefined): ReportCell {
  if (!found) return { text: "", value: 0 };
  const told = found.worst ? `${found.factor.toFixed(1)}x` : formatPercent(found.share);
  return { text: told, value: found.share, note: disturbedText(found) };
}
