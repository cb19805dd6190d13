/** The result of comparing predictions with measurements. @module */
import { aText, expect, listOf, record, something } from "../arguments/mod.ts";
import { median, quantile } from "../profile/mod.ts";
import { displayable, type MediaBundle, type PngOptions, svgToPng } from "../timeline/mod.ts";
import { alignedText } from "../timeline/table/aligned_text.ts";
import { percent } from "./percent.ts";
import { errorsSvg } from "./quality_chart.ts";
import { type Agreement, kendallTau, regretOf } from "./ranking.ts";

const ROWS = listOf(
  record("a row of a PredictionQuality", { measured: something, predicted: something }),
  "rows of a PredictionQuality",
);
const MADE = record("{ shapes, repeats, facts }", {
  shapes: something,
  repeats: something,
  facts: listOf(aText, "lines"),
});

/** One layer under one choice; seconds of forward and backward together. */
export interface QualityRow {
  /** Number of the layer. */
  readonly shape: number;
  /** Choices and pass. */
  readonly name: string;
  /** Seconds that the simulator says. */
  readonly predicted: number;
  /** The same at the machine's speed while the layer ran; equal where no probe told it. */
  readonly predictedAtSpeed: number;
  /** That speed, relative to what it was when the profile was made: median of the probes between the layer's runs. */
  readonly speed?: number;
  /** Seconds that no schedule of the same tasks is predicted to beat. */
  readonly bound: number;
  /** Each undisturbed run; where there is none, every run. */
  readonly measured: readonly number[];
  /** Median of all runs, disturbed ones too. */
  readonly all: number;
  /** No run of it was undisturbed, so that it is left out. */
  readonly disturbed: boolean;
  /** How often it was measured. */
  readonly runs: number;
  /** How many of these nothing else held up. */
  readonly calmRuns: number;
  /** Seconds predicted and measured, by kind of task. */
  readonly kinds: readonly {
    readonly what: string;
    readonly predicted: number;
    readonly measured: number;
  }[];
}

/** Errors of one kind: predicted over measured, less 1. */
export interface KindError {
  /** Kind of task, for communication with its links, or `step` for whole passes. */
  readonly what: string;
  /** Measurements behind it. */
  readonly rows: number;
  /** Median of the signed errors. */
  readonly median: number;
  /** Lower end of the interval of nine of ten; -0.1 is predicted 10 % too short. */
  readonly least: number;
  /** Upper end. */
  readonly most: number;
  /** Mean without signs. */
  readonly typical: number;
}

const DISPLAY = Symbol.for("Jupyter.display");

/** As a cell's last value it shows its errors and its summary. */
export class PredictionQuality {
  /** Of the step, forward and backward together. */
  readonly stepError: KindError;
  /** The same when disturbed runs count too. */
  readonly stepErrorOfAll: KindError;
  /** Of the step by the profile at the machine's speed while each layer ran, as the probe told it. */
  readonly stepErrorAtSpeed: KindError;
  /** That speed over the layers, relative to what it was when the profile was made; undefined without a probe. */
  readonly speed?: { readonly median: number; readonly least: number; readonly most: number };
  /** How far predictions lie above the bound of their tasks: the schedule's part, where errors are the model's. */
  readonly aboveBound: KindError;
  /** Errors by kind of task, `step` first. */
  readonly byKind: readonly KindError[];
  /** How far predictions rank choices as measurements do. */
  readonly agreement: Agreement;
  /**
   * How far one more run of each choice ranks them as its other runs do, which no prediction can be expected to exceed;
   * over choices with at least two undisturbed runs.
   */
  readonly repeated: Agreement;
  /** Regret of the choice of least predicted time: mean over layers, and the largest. */
  readonly regret: { readonly mean: number; readonly most: number };
  /** Rows without an undisturbed run, which do not count. */
  readonly leftOut: number;

  /** Made by {@linkcode predictionQuality}. */
  constructor(
    readonly rows: readonly QualityRow[],
    readonly made: {
      readonly shapes: number;
      readonly repeats: number;
      /** What all rows have in common, in lines: sizes, and the world with its links as far as they are known. */
      readonly facts: readonly string[];
    },
  ) {
    expect("new PredictionQuality", "rows", rows, ROWS);
    expect("new PredictionQuality", "made", made, MADE);
    const used = rows.filter(({ disturbed }) => !disturbed);
    this.leftOut = rows.length - used.length;
    const step = ({ predicted, measured }: QualityRow) => predicted / median(measured) - 1;
    this.stepError = errorOf("step", used.map(step));
    this.stepErrorOfAll = errorOf("step", rows.map(({ predicted, all }) => predicted / all - 1));
    this.stepErrorAtSpeed = errorOf(
      "step",
      used.map(({ predictedAtSpeed, measured }) => predictedAtSpeed / median(measured) - 1),
    );
    this.aboveBound = errorOf("bound", rows.map(({ predicted, bound }) => predicted / bound - 1));
    const speeds = rows.flatMap(({ speed }) => speed === undefined ? [] : [speed]);
    if (speeds.length > 0) {
      const [least, most] = [Math.min(...speeds), Math.max(...speeds)];
      this.speed = { median: median(speeds), least, most };
    }
    const kinds = [...new Set(used.flatMap((row) => row.kinds.map(({ what }) => what)))];
    this.byKind = kinds.map((what) => {
      const found = used.flatMap((row) => row.kinds.filter((kind) => kind.what === what));
      const errors = found.map(({ predicted, measured }) => predicted / measured - 1);
      return errorOf(what, errors.filter(Number.isFinite));
    }).filter(({ rows }) => rows > 0); // what is paced begins on time
    const groups = Array.from(
      { length: made.shapes },
      (_, shape) => used.filter((row) => row.shape === shape),
    ).filter((group) => group.length > 0);
    this.agreement = kendallTau(groups);
    this.repeated = kendallTau(
      groups.map((group) =>
        group.filter(({ measured }) => measured.length > 1).map(({ measured }) => ({
          predicted: measured.at(-1)!,
          measured: measured.slice(0, -1),
        }))
      ),
    );
    const regrets = groups.map(regretOf);
    const mean = regrets.reduce((a, b) => a + b, 0) / Math.max(1, regrets.length);
    this.regret = { mean, most: Math.max(0, ...regrets) };
  }

  /** In words. */
  get summary(): string {
    const { stepError, agreement, repeated, regret, rows, leftOut, stepErrorOfAll } = this;
    const runs = rows.reduce((sum, row) => sum + row.runs, 0);
    const calm = rows.reduce((sum, row) => sum + row.calmRuns, 0);
    const { speed, stepErrorAtSpeed: { typical, median: signed } } = this;
    const atSpeed = speed
      ? [
        `at the machine's speed meanwhile (${
          speed.median.toFixed(2)
        } of what it was when the profile was made, ` +
        `${speed.least.toFixed(2)} to ${
          speed.most.toFixed(2)
        }; the same products timed beside every layer) the step ` +
        `error is ${percent(typical)} (signed median ${percent(signed)})`,
      ]
      : [];
    const { median: above, most } = this.aboveBound;
    return [
      `step error ${percent(stepError.typical)} (signed median ${
        percent(stepError.median)
      }, nine of ten from ${percent(stepError.least)} to ${percent(stepError.most)}) ` +
      `over ${stepError.rows} rows of ${this.made.shapes} layers`,
      ...atSpeed,
      `predictions lie ${percent(above)} above the bound of their tasks at the median, up to ` +
      `${percent(most)}: that is the schedule's, what errors are left are the model's`,
      `Kendall's tau ${agreement.tau.toFixed(3)} over ${agreement.pairs} pairs, ` +
      `${agreement.leftOut} closer than their spread` +
      (repeated.pairs > 0
        ? `; of one more run in place of the prediction ${repeated.tau.toFixed(3)}`
        : ""),
      `regret ${percent(regret.mean)}, at most ${percent(regret.most)}`,
      `${calm} of ${runs} runs undisturbed, ${leftOut} rows without one left out; with all runs the ` +
      `step error is ${percent(stepErrorOfAll.typical)}`,
    ].join("\n");
  }

  /** SVG text: signed errors of each kind of task and of the step. */
  svg(): Promise<string> {
    const used = this.rows.filter(({ disturbed }) => !disturbed);
    const points = used.flatMap(({ predicted, measured, kinds }) => [
      { what: "step", error: predicted / median(measured) - 1 },
      ...kinds.map((kind) => ({ what: kind.what, error: kind.predicted / kind.measured - 1 })),
    ]).filter(({ error }) => Number.isFinite(error));
    return errorsSvg([this.stepError, ...this.byKind], points, this.made.facts);
  }

  /** Errors by kind as text. */
  toString(): string {
    const head = ["kind", "rows", "signed median", "from", "to", "typical"];
    const body = [this.stepError, ...this.byKind].map((row) => [
      row.what,
      `${row.rows}`,
      ...[row.median, row.least, row.most, row.typical].map((value) => percent(value)),
    ]);
    return alignedText([head, ...body]);
  }

  /** The same picture as the bytes of a PNG. @throws {SchemoeError} for a scale that is none. */
  async png(options: PngOptions = {}): Promise<Uint8Array> {
    return await svgToPng(await this.svg(), options);
  }

  /** Picture, table and summary, for a notebook. */
  async [DISPLAY](): Promise<MediaBundle> {
    const shown = displayable({ text: `${this}\n${this.summary}`, svg: await this.svg() });
    return await shown[DISPLAY]();
  }
}

const FIVE = 0.05;

function errorOf(what: string, errors: readonly number[]): KindError {
  const sum = errors.reduce((total, error) => total + Math.abs(error), 0);
  return {
    what,
    rows: errors.length,
    median: median(errors) || 0,
    least: quantile(errors, FIVE) || 0,
    most: quantile(errors, 1 - FIVE) || 0,
    typical: errors.length > 0 ? sum / errors.length : 0,
  };
}
