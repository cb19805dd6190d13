/** What training runs with several seeds have in common, and how they differ. @module */
import { table } from "arquero";
import {
  displayable,
  type MediaBundle,
  type PngOptions,
  svgToPng,
  type Timeline,
} from "../timeline/mod.ts";
import { alignedText } from "../timeline/table/aligned_text.ts";
import { commonText } from "../timeline/chart/facts.ts";
import { type LossCurve, lossSvg } from "./loss_chart.ts";
import type { TrainingRun } from "./result.ts";
import { type LossPoint, smoothed } from "./smooth.ts";

/** A run with its name and seed. */
export interface ComparedRun {
  /** Of the choices, such as the codec. */
  readonly name: string;
  /** Of the parameters with which it began. */
  readonly seed: number;
  /** The run itself, with its curve. */
  readonly run: TrainingRun;
}

/** All seeds of one name. Losses are those of the validation where there is one, else of training at the end. */
export interface ComparisonRow {
  /** Of the choices. */
  readonly name: string;
  /** Runs with that name. */
  readonly seeds: number;
  /** Mean of the losses at the end, nats a token. */
  readonly mean: number;
  /** Least of them. */
  readonly least: number;
  /** Largest of them. */
  readonly most: number;
  /**
   * Mean over seeds of the difference to the first name with the same seed, and half the width of its confidence
   * interval of 95 %, by Student's t; that is absent with one seed, both are for the first.
   */
  readonly difference?: number;
  /** Half the width of the confidence interval of the difference. */
  readonly plusMinus?: number;
  /** Mean over the seeds, of all ranks together. */
  readonly tokensPerSecond: number;
}

const DISPLAY = Symbol.for("Jupyter.display");

/** Training runs beside each other. As a cell's last value it shows their curves and a table. */
export class TrainingComparison {
  /**
   * Puts runs that were made already beside each other.
   * @param runs each with its name and seed; the first name is what others are compared with.
   */
  constructor(readonly runs: readonly ComparedRun[]) {}

  /** Names of the choices, in the order in which they first ran. */
  get names(): string[] {
    return [...new Set(this.runs.map(({ name }) => name))];
  }

  /** A row for each name. */
  get rows(): ComparisonRow[] {
    const [first] = this.names;
    return this.names.map((name) => {
      const own = this.#of(name);
      const losses = own.map(({ run }) => finalLoss(run));
      const paired = own.flatMap(({ seed, run }) => {
        const other = this.#of(first).find((one) => one.seed === seed);
        return other ? [finalLoss(run) - finalLoss(other.run)] : [];
      });
      return {
        name,
        seeds: own.length,
        mean: mean(losses),
        least: Math.min(...losses),
        most: Math.max(...losses),
        ...(name === first ? {} : { difference: mean(paired), plusMinus: halfWidth(paired) }),
        tokensPerSecond: mean(own.map(({ run }) => run.tokensPerSecond ?? NaN)),
      };
    });
  }

  /** The same as an Arquero table. */
  get table(): Timeline {
    const { rows } = this;
    const short = (value?: number) => value === undefined ? null : Number(value.toFixed(4));
    return table({
      run: rows.map(({ name }) => name),
      seeds: rows.map(({ seeds }) => seeds),
      loss: rows.map(({ mean }) => short(mean)),
      least: rows.map(({ least }) => short(least)),
      most: rows.map(({ most }) => short(most)),
      difference: rows.map(({ difference }) => short(difference)),
      plus_minus: rows.map(({ plusMinus }) => short(plusMinus)),
      tokens_per_second: rows.map(({ tokensPerSecond }) => Math.round(tokensPerSecond)),
    });
  }

  /** SVG text: the mean loss of each name, with a band from the least to the largest over its seeds. */
  svg(title = "Loss, mean and range over seeds"): Promise<string> {
    const curves: LossCurve[] = this.names.map((name) => {
      const own = this.#of(name).map(({ run }) => pointsOf(run));
      return { name, points: banded(own), dots: own.some((points) => points.length < 60) };
    });
    const facts = commonText(this.runs.map(({ run }) => run.configuration));
    return lossSvg(title, curves, [facts]);
  }

  /** The table as text. */
  toString(): string {
    const fixed = (value: number | undefined, digits: number) =>
      value === undefined || Number.isNaN(value) ? "" : value.toFixed(digits);
    const head = ["run", "seeds", "loss", "least", "most", "difference", "plus minus", "tokens/s"];
    const body = this.rows.map((row) => [
      row.name,
      `${row.seeds}`,
      ...[row.mean, row.least, row.most].map((loss) => fixed(loss, 3)),
      ...[row.difference, row.plusMinus].map((value) => fixed(value, 4)),
      fixed(row.tokensPerSecond, 0),
    ]);
    return alignedText([head, ...body]);
  }

  /** The same picture as the bytes of a PNG. @throws {SchemoeError} for a scale that is none. */
  async png(options: PngOptions = {}): Promise<Uint8Array> {
    return await svgToPng(await this.svg(), options);
  }

  /** Curves and table, for a notebook. */
  async [DISPLAY](): Promise<MediaBundle> {
    return await displayable({ text: `${this}`, svg: await this.svg() })[DISPLAY]();
  }

  #of(name: string): ComparedRun[] {
    return this.runs.filter((one) => one.name === name);
  }
}

/** Validation losses, or means of training losses where there are none. */
const pointsOf = ({ validations, steps }: TrainingRun): readonly LossPoint[] =>
  validations.length > 0
    ? validations
    : smoothed(steps.map(({ step, crossEntropy }) => ({ step, loss: crossEntropy })));

const finalLoss = (run: TrainingRun): number => pointsOf(run).at(-1)?.loss ?? NaN;

/** At each step of any of the runs: mean, least and largest over the runs that have it. */
function banded(lists: readonly (readonly LossPoint[])[]): LossCurve["points"] {
  const at = new Map<number, number[]>();
  for (const { step, loss } of lists.flat()) at.set(step, [...at.get(step) ?? [], loss]);
  return [...at].toSorted(([a], [b]) => a - b).map(([step, losses]) => ({
    step,
    loss: mean(losses),
    ...(losses.length > 1 ? { low: Math.min(...losses), high: Math.max(...losses) } : {}),
  }));
}

const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

/** Quantile 0.975 of Student's t with 1, 2, ... degrees of freedom; beyond them that of the normal distribution. */
const STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
const NORMAL = 1.96;

/** Half the width of the confidence interval of the mean; undefined for fewer than two values. */
function halfWidth(list: readonly number[]): number | undefined {
  if (list.length < 2) return undefined;
  const middle = mean(list);
  const squares = list.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  const error = Math.sqrt(squares / (list.length - 1) / list.length);
  return (STUDENT[list.length - 2] ?? NORMAL) * error;
}
