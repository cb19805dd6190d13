/** A training run: its curve, its speed, and how it shows itself. @module */
import { aText, expect, listOf, record as recordOf, something } from "../arguments/mod.ts";
import { table } from "arquero";
import {
  displayable,
  type MediaBundle,
  type PngOptions,
  svgToPng,
  type Timeline,
} from "../timeline/mod.ts";
import { promised } from "../timeline/chart/promised.ts";
import { formatTime } from "../timeline/table/format.ts";
import type { History } from "./history.ts";
import { loadsSvg } from "./loads_chart.ts";
import { type LossCurve, lossSvg } from "./loss_chart.ts";
import { smoothed } from "./smooth.ts";
import type { SpeedRow, StepRow, ValidationRow } from "./step_row.ts";

const RECORD = recordOf("a record of a training { name, history, configuration }", {
  name: aText,
  configuration: something,
  history: recordOf("a history { steps, speeds, validations, seconds }", {
    steps: listOf(something, "steps"),
    speeds: listOf(something, "speeds"),
    validations: listOf(something, "validations"),
  }),
});

/** Fields of a {@linkcode TrainingRun}. */
export interface TrainingRecord {
  /** What its curve and table call it. */
  readonly name: string;
  /** Steps, speeds and validations, those before a checkpoint included. */
  readonly history: History;
  /** Sizes, choices, engine and data, for captions. */
  readonly configuration: Readonly<Record<string, string | number | boolean>>;
  /** Why it ended before its last step. */
  readonly stopped?: string;
}

const DISPLAY = Symbol.for("Jupyter.display");

/** A training run. As a cell's last value it shows the curve of its loss. */
export class TrainingRun {
  /** What its curve and table call it. */
  readonly name: string;
  /** Sizes, choices, engine and data, as its caption tells them. */
  readonly configuration: TrainingRecord["configuration"];
  /** All steps, those before a checkpoint included. */
  readonly steps: readonly StepRow[];
  /** Tokens a second and hidden communication at each report. */
  readonly speeds: readonly SpeedRow[];
  /** Losses on data that it was not trained on. */
  readonly validations: readonly ValidationRow[];
  /** Of the whole run, those before a checkpoint included. */
  readonly seconds: number;
  /** Why it ended before its last step; absent where it did not. */
  readonly stopped?: string;

  /** Made by {@linkcode train}, or of a committed record. */
  constructor(record: TrainingRecord) {
    expect("new TrainingRun", "record", record, RECORD);
    const { name, history, configuration, stopped } = record;
    this.name = name;
    this.configuration = configuration;
    this.steps = history.steps;
    this.speeds = history.speeds;
    this.validations = history.validations;
    this.seconds = history.seconds;
    this.stopped = stopped;
  }

  /** The last loss on the validation part, in nats a token. */
  get validationLoss(): number | undefined {
    return this.validations.at(-1)?.loss;
  }

  /** Tokens a second over all steps that were measured. */
  get tokensPerSecond(): number | undefined {
    const rates = this.speeds.map(({ tokensPerSecond }) => tokensPerSecond).toSorted((a, b) =>
      a - b
    );
    return rates[Math.floor(rates.length / 2)];
  }

  /** A row for each step: `step`, `loss`, `cross_entropy`, `grad_norm`, `rate`. */
  get table(): Timeline {
    const { steps } = this;
    return table({
      step: Uint32Array.from(steps, ({ step }) => step),
      loss: Float64Array.from(steps, ({ loss }) => loss),
      cross_entropy: Float64Array.from(steps, ({ crossEntropy }) => crossEntropy),
      grad_norm: Float64Array.from(steps, ({ gradNorm }) => gradNorm),
      rate: Float64Array.from(steps, ({ rate }) => rate),
    });
  }

  /** One line: steps, losses, speed. */
  get verdict(): string {
    const { steps, validationLoss, tokensPerSecond, seconds, stopped } = this;
    const hidden = this.speeds.at(-1)?.hidden;
    return [
      `${this.name}: ${steps.length} steps in ${formatTime(1e9 * seconds)}`,
      ...(steps.length > 0 ? [`loss ${steps.at(-1)!.loss.toFixed(4)}`] : []),
      ...(validationLoss === undefined ? [] : [`validation ${validationLoss.toFixed(4)}`]),
      ...(tokensPerSecond === undefined ? [] : [`${tokensPerSecond.toFixed(0)} tokens/s`]),
      ...(hidden === undefined ? [] : [`${Math.round(100 * hidden)} % of communication hidden`]),
      ...(stopped === undefined ? [] : [`ended before: ${stopped}`]),
    ].join(" · ");
  }

  /** Description of the run in one line. */
  get caption(): string {
    return Object.entries(this.configuration).map(([key, value]) => `${key} ${value}`).join(" · ");
  }

  /** SVG text of the curve: cross entropy of each step, its moving mean, and the validation. */
  svg(): Promise<string> {
    const points = this.steps.map(({ step, crossEntropy }) => ({ step, loss: crossEntropy }));
    const curves: LossCurve[] = [
      { name: "training", points, faint: true },
      { name: "training", points: smoothed(points) },
      ...(this.validations.length > 0
        ? [{ name: "validation", points: this.validations, dots: true }]
        : []),
    ];
    return lossSvg(this.name, curves, [this.caption]);
  }

  /** SVG text of a heat map for each Mixture-of-Experts layer: loads of its experts over the steps. */
  loadsSvg(): Promise<string> {
    return loadsSvg(this.name, this.steps, [this.caption]);
  }

  /** Verdict and caption. */
  toString(): string {
    return `${this.verdict}\n${this.caption}`;
  }

  /** The same picture as the bytes of a PNG. @throws {SchemoeError} for a scale that is none. */
  async png(options: PngOptions = {}): Promise<Uint8Array> {
    return await svgToPng(await this.svg(), options);
  }

  /** Curve, verdict and caption, for a notebook. */
  async [DISPLAY](): Promise<MediaBundle> {
    return await displayable({ text: `${this}`, svg: await this.svg() })[DISPLAY]();
  }
}

/** A promise of a training run. */
export const promisedTraining: (promise: Promise<TrainingRun>) => Promise<TrainingRun> = promised({
  of: TrainingRun,
  fields: [
    "name",
    "configuration",
    "steps",
    "speeds",
    "validations",
    "seconds",
    "stopped",
  ] satisfies (
    keyof TrainingRun
  )[],
  what: "training run",
  call: "const run = await train(model, { data, steps })",
});
