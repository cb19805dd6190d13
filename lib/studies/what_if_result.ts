/** The times of a what-if: curves, table and crossings. @module */
import { aText, expect, listOf, record, something } from "../arguments/mod.ts";
import { displayable, type MediaBundle, type PngOptions, svgToPng } from "../timeline/mod.ts";
import type { Theme } from "../timeline/chart/theme.ts";
import { alignedText } from "../timeline/table/aligned_text.ts";
import { curvesSvg } from "./what_if_chart.ts";
import { type Crossing, crossings, leadChanges } from "./what_if_crossings.ts";
import { tellsUnit, valueText, type Vary } from "./what_if_vary.ts";

const MADE = record("times of a what-if, as whatIf(...) makes them", {
  values: listOf(something, "values"),
  names: listOf(aText, "names"),
  seconds: something,
});

/** Seconds of one line at one value. */
export interface WhatIfRow {
  /** What varied, as a number in SI units where it is one. */
  readonly value: number | string;
  /** Name of the line, such as the scheduler. */
  readonly line: string;
  /** Makespan of the pass, or of both. */
  readonly seconds: number;
  /** Over the first line. */
  readonly speedUp: number;
}

const DISPLAY = Symbol.for("Jupyter.display");

/** Curves of a what-if. */
export class WhatIf {
  /** A row for each value and line. */
  readonly rows: readonly WhatIfRow[];
  /** Names of the lines in order. */
  readonly names: readonly string[];
  /** Where two lines take equally long, the faster one before and after; empty for values that are no numbers. */
  readonly crossings: readonly Crossing[];
  /** Those at which the best line changes. */
  readonly leadChanges: readonly Crossing[];
  readonly #times: WhatIfTimes;
  readonly #numeric: boolean;
  readonly #logarithmic: boolean;

  /** Made by {@linkcode whatIf}. */
  constructor(made: WhatIfTimes) {
    expect("new WhatIf", "made", made, MADE);
    this.#times = made;
    const { values, names, seconds } = made;
    this.names = names;
    this.rows = values.flatMap((value, at) =>
      names.map((line, i) => ({
        value,
        line,
        seconds: seconds[i][at],
        speedUp: seconds[0][at] / seconds[i][at],
      }))
    );
    const numbers = values.filter((value) => typeof value === "number");
    this.#numeric = numbers.length === values.length;
    const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
    this.#logarithmic = this.#numeric && least > 0 && most / least >= 20;
    const order = [...numbers.keys()].sort((a, b) => numbers[a] - numbers[b]);
    // the lower the better: speed-ups with their sign turned
    const sign = this.#speedUp ? -1 : 1;
    const curves = names.map((name, line) => ({
      name,
      y: order.map((i) => sign * this.#shown(line, i)),
    }));
    const found = (find: typeof crossings) =>
      this.#numeric && values.length > 1
        ? find(order.map((i) => numbers[i]), curves, this.#logarithmic)
          .map((crossing) => ({ ...crossing, y: sign * crossing.y }))
        : [];
    this.crossings = found(crossings);
    this.leadChanges = found(leadChanges);
  }

  /** The line of least time at each value. */
  get best(): readonly WhatIfRow[] {
    return this.#times.values.map((_, at) => {
      const { names } = this;
      const rows = this.rows.slice(at * names.length, (at + 1) * names.length);
      return rows.reduce((best, row) => row.seconds < best.seconds * (1 - 1e-9) ? row : best);
    });
  }

  /** In words: which line is best where. */
  get summary(): string {
    const { vary } = this.#times;
    const unit = vary.unit === undefined || tellsUnit(vary) ? "" : ` ${vary.unit}`;
    // between two values nothing was simulated: not more digits than are known
    const at = (x: number) => `${vary.name} ${valueText(vary, Number(x.toPrecision(3)))}${unit}`;
    const places = Map.groupBy(this.leadChanges, ({ x }) => x.toPrecision(6));
    const lines = [...places.values()].map((here) => {
      const [before, after] = [here.map((one) => one.before), here.map((one) => one.after)];
      return `${best(before)} up to ${at(here[0].x)}, ${listed(after)} from there on`;
    });
    const winners = this.names.filter((line) => this.#neverWorse(line));
    if (lines.length === 0 && winners.length > 0 && this.names.length > 1) {
      lines.push(`${best(winners)} at every value`);
    }
    const others = this.crossings.length - this.leadChanges.length;
    if (others > 0) {
      lines.push(
        `${others} more ${
          others === 1 ? "crossing" : "crossings"
        } of lines that are not best there`,
      );
    }
    return lines.length > 0 ? lines.join("\n") : "no two lines cross";
  }

  /** SVG text of the curves; `theme` is `auto` (that of the page), `light` or `dark`. */
  svg(options: { readonly theme?: Theme } = {}): Promise<string> {
    const { vary, values, names, seconds, pass } = this.#times;
    const speedUp = this.#speedUp;
    return curvesSvg({
      title: `What if: ${vary.name}`,
      x: { label: this.#axis, values, text: (value) => valueText(vary, value) },
      y: { label: speedUp ? `speed-up over ${names[0]}, ${what(pass)}` : `seconds, ${what(pass)}` },
      zero: !speedUp,
      logarithmic: { x: this.#logarithmic, y: !speedUp && spread(seconds.flat()) >= 20 },
      curves: names.map((name, i) => ({ name, y: values.map((_, at) => this.#shown(i, at)) })),
      marks: this.leadChanges,
      notes: this.#times.facts,
    }, options);
  }

  /** Times as text: a row for each value, a column for each line; below, of what they are. */
  toString(): string {
    const { values, seconds, vary, pass, facts = [] } = this.#times;
    const head = [this.#axis, ...this.names];
    const body = values.map((value, at) => [
      valueText(vary, value),
      ...seconds.map((line) => `${(line[at] * 1e3).toPrecision(4)} ms`),
    ]);
    const told = [`time of ${what(pass)}`, ...facts].filter((line) => line !== "");
    return `${alignedText([head, ...body])}\n${told.join("\n")}`;
  }

  /** The same picture as the bytes of a PNG. @throws {SchemoeError} for a scale that is none. */
  async png(options: PngOptions = {}): Promise<Uint8Array> {
    return await svgToPng(await this.svg({ theme: "light" }), options);
  }

  /** Curves, table and crossings, for a notebook. */
  async [DISPLAY](): Promise<MediaBundle> {
    const shown = displayable({ text: `${this}\n${this.summary}`, svg: await this.svg() });
    return await shown[DISPLAY]();
  }

  /** Whether no line is faster anywhere. */
  #neverWorse(line: string): boolean {
    const { names, seconds } = this.#times;
    const own = seconds[names.indexOf(line)];
    return own.every((time, at) => seconds.every((other) => time <= other[at] * (1 + 1e-9)));
  }

  /** Name of what varies, with the unit where the values do not tell it. */
  get #axis(): string {
    const { vary } = this.#times;
    return vary.unit === undefined || tellsUnit(vary) ? vary.name : `${vary.name} (${vary.unit})`;
  }

  get #speedUp(): boolean {
    return (this.#times.show ?? (this.names.length > 1 ? "speedUp" : "seconds")) === "speedUp";
  }

  #shown(line: number, at: number): number {
    const { seconds } = this.#times;
    return this.#speedUp ? seconds[0][at] / seconds[line][at] : seconds[line][at];
  }
}

/** Fields of a {@linkcode WhatIf}. */
export interface WhatIfTimes {
  readonly vary: Vary;
  readonly values: readonly (number | string)[];
  readonly pass: string;
  readonly show?: "seconds" | "speedUp";
  readonly names: readonly string[];
  /** By line, then by value. */
  readonly seconds: readonly (readonly number[])[];
  /** Lines on what all of it has in common: sizes, choices, world. */
  readonly facts?: readonly string[];
}

/** The passes whose time counts, in words. */
const what = (pass: string): string => pass === "step" ? "forward and backward" : pass;

const listed = (names: readonly string[]): string => [...new Set(names)].join(" and ");
const best = (names: readonly string[]): string =>
  `${listed(names)} ${new Set(names).size === 1 ? "is" : "are"} best`;

const spread = (values: readonly number[]) => Math.max(...values) / Math.min(...values);
