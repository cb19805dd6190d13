/** What a study of gradients found. @module */
import { displayable } from "../../timeline/mod.ts";

const DISPLAY = Symbol.for("Jupyter.display");

/** Gradients whose error is larger are wrong: float32 and steps of a thousandth leave about 2 %. */
const MOST = 0.05;

/** One tensor under one number of chunks. */
export interface GradientRow {
  /** `x` or the name of a parameter. */
  readonly tensor: string;
  /** Chunks of both passes. */
  readonly chunks: number;
  /** Root of the sum of squares of the gradient. */
  readonly norm: number;
  /** Median over directions of the difference from what the output did, relative to the larger of both. */
  readonly error: number;
}

/** Gradients beside differences of the output; a table in a template and as a cell's last value. */
export class GradientStudy {
  /** Made by `gradientStudy`. */
  constructor(
    /** A row for each tensor and number of chunks. */
    readonly rows: readonly GradientRow[],
    /** Tokens whose experts change within a step, which have no part in this. */
    readonly leftOut: number,
  ) {}

  /** Rows whose error is above 5 %, or is no number. */
  get wrong(): readonly GradientRow[] {
    return this.rows.filter(({ error }) => !(error <= MOST));
  }

  /** A line for each row, and how many are wrong. */
  toString(): string {
    const width = Math.max(6, ...this.rows.map(({ tensor }) => tensor.length));
    const line = (name: string, ...cells: readonly string[]) =>
      [name.padEnd(width), ...cells.map((cell) => cell.padStart(10))].join(" ");
    const { length } = this.wrong;
    return [
      line("tensor", "chunks", "norm", "error"),
      ...this.rows.map((row) =>
        line(
          row.tensor,
          `${row.chunks}`,
          row.norm.toPrecision(3),
          `${(100 * row.error).toFixed(2)} %`,
        ) +
        (this.wrong.includes(row) ? "  wrong" : "")
      ),
      ...(this.leftOut
        ? [`${this.leftOut} tokens left out, whose experts change within a step`]
        : []),
      length === 0 ? "all agree within 5 %" : `${length} of ${this.rows.length} are wrong`,
    ].join("\n");
  }

  /** The table, for a notebook. */
  async [DISPLAY](): Promise<Record<string, string>> {
    return await displayable({ text: `${this}` })[DISPLAY]();
  }
}
