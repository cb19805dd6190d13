/** How benchmarks report: a table for people, JSON lines for programs. @module */

/** Version of the JSON lines. */
const SCHEMA = 1;

/** One measured line. */
export type Row = Readonly<Record<string, string | number | boolean>>;

/** Result of a benchmark. */
export interface Report {
  /** Of this report, where a benchmark gives several; default that of the benchmark. */
  readonly name?: string;
  /** What all rows share: layer, world, engine, repetitions. */
  readonly configuration: Row;
  readonly rows: readonly Row[];
}

export type Benchmark = () => Promise<Report>;

/** Host, cores and runtime of this process. */
export function machine(): Row {
  const { deno } = Deno.version;
  return { cores: navigator.hardwareConcurrency, arch: Deno.build.arch, os: Deno.build.os, deno };
}

/** Prints a report. */
export function print(
  name: string,
  { configuration, rows }: Report,
  options: { json: boolean; machine: Row },
): void {
  if (options.json) {
    for (const row of rows) {
      console.log(
        JSON.stringify({
          schema: SCHEMA,
          bench: name,
          ...row,
          configuration,
          machine: options.machine,
        }),
      );
    }
    return;
  }
  const words = (row: Row) =>
    Object.entries(row).map(([key, value]) => `${key} ${value}`).join(", ");
  console.log(`\n${name}: ${words(configuration)} (${words(options.machine)})`);
  const head = [...new Set(rows.flatMap(Object.keys))];
  const cells = [head, ...rows.map((row) => head.map((key) => String(row[key] ?? "")))];
  const widths = head.map((_, i) => Math.max(...cells.map((line) => line[i].length)));
  const right = head.map((key) => rows.every((row) => typeof (row[key] ?? 0) === "number"));
  for (const line of cells) {
    console.log(
      line.map((cell, i) => right[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])).join(
        "  ",
      ),
    );
  }
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Milliseconds with two decimals. */
export const milliseconds = (seconds: number): number => Math.round(seconds * 1e5) / 100;

/** Two decimals. */
export const hundredths = (value: number): number => Math.round(value * 100) / 100;
