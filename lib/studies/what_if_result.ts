/** The times of a what-if: curves, table and crossings. @module */
import { displayable, type MediaBundle } from "../timeline/mod.ts";
import type { Theme } from "../timeline/chart/theme.ts";
import { alignedText } from "../timeline/table/aligned_text.ts";
import { curvesSvg } from "./what_if_chart.ts";
import { type Crossing, crossings, leadChanges } from "./what_if_crossings.ts";
import type { Vary } from "./what_if_vary.ts";

/** Seconds of one line at one value. */
export interface WhatIfRow {
  readonly value: number | string;
  readonly line: string;
  readonly seconds: number;
  /** Over the first line. */
  readonly speedUp: number;
}

const DISPLAY = Symbol.for("Jupyter.display");

/** Curves of a what-if. */
export class WhatIf {
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

  constructor(made: WhatIfTimes) {
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
    const { vary: { name, unit } } = this.#times;
    const at = (x: number) => `${name} ${short(x)}${unit ? ` ${unit}` : ""}`;
    const lines = this.leadChanges.map(({ x, before, after }) =>
      `${before} is best up to ${at(x)}, ${after} from there on`
    );
    const others = this.crossings.length - lines.length;
    if (others > 0) lines.push(`${others} more crossings of lines that are not best there`);
    return lines.length > 0 ? lines.join("\n") : "no two lines cross";
  }

  /** SVG text of the curves; `theme` is `auto` (that of the page), `light` or `dark`. */
  svg(options: { readonly theme?: Theme } = {}): Promise<string> {
    const { vary, values, names, seconds, pass } = this.#times;
    const speedUp = this.#speedUp;
    const what = pass === "step" ? "forward and backward" : pass;
    return curvesSvg({
      title: `What if: ${vary.name}`,
      x: { label: vary.unit ? `${vary.name} (${vary.unit})` : vary.name, values },
      y: { label: speedUp ? `speed-up over ${names[0]}, ${what}` : `seconds, ${what}` },
      zero: !speedUp,
      logarithmic: { x: this.#logarithmic, y: !speedUp && spread(seconds.flat()) >= 20 },
      curves: names.map((name, i) => ({ name, y: values.map((_, at) => this.#shown(i, at)) })),
      marks: this.leadChanges,
    }, options);
  }

  /** Times as text: a row for each value, a column for each line. */
  toString(): string {
    const { values, seconds, vary } = this.#times;
    const head = [vary.unit ? `${vary.name} (${vary.unit})` : vary.name, ...this.names];
    const body = values.map((value, at) => [
      typeof value === "number" ? short(value) : value,
      ...seconds.map((line) => `${(line[at] * 1e3).toPrecision(4)} ms`),
    ]);
    return alignedText([head, ...body]);
  }

  async [DISPLAY](): Promise<MediaBundle> {
    const shown = displayable({ text: `${this}\n${this.summary}`, svg: await this.svg() });
    return await shown[DISPLAY]();
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
}

const short = (value: number) => String(Number(value.toPrecision(4)));

const spread = (values: readonly number[]) => Math.max(...values) / Math.min(...values);
