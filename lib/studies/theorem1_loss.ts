/** How much Theorem 1's order loses against the best one. @module */
import {
  aCount,
  aFunction,
  anInteger,
  anything,
  aText,
  expect,
  listOf,
  manyAtMost,
  maybe,
  options,
  record,
} from "../arguments/mod.ts";
import { timedGraph } from "../graph/mod.ts";
import { exact, optSche } from "../schedulers/mod.ts";
import { displayable, type PngOptions, svgToPng } from "../timeline/mod.ts";
import { SchemoeError } from "../types.ts";
import { uniforms } from "../random.ts";
import type { Run } from "../layer/run.ts";
import type { Theme } from "../timeline/chart/theme.ts";
import { lossSvg } from "./theorem1_chart.ts";
import { timedRun } from "../layer/timed_run.ts";

const THEOREM1_LOSSES_OPTIONS = options({
  chunks: listOf(anything, "numbers of chunks, such as [2, 4]"),
  count: maybe(manyAtMost),
  seed: maybe(anInteger),
  assume: maybe(aFunction),
  title: maybe(aText),
});

const THEOREM1_LOSS_TIMES = record("times of stages, such as { A1: 1, E: 2, A2: 1 }", {});

const STAGES: readonly (keyof ChainTimes)[] = ["C1", "A1", "D1", "E", "C2", "A2", "D2"];
/** Random times span so many factors of two. */
const OCTAVES = 6;

/** Seconds of the seven stages of a chunk. */
export type ChainTimes = Readonly<
  Record<"C1" | "A1" | "D1" | "E" | "C2" | "A2" | "D2", number>
>;

/** What Theorem 1's order and the best one take for equal chunks with given times. */
export interface Theorem1Loss {
  /** Equal chunks. */
  readonly chunks: number;
  /** Seconds of the stages of each. */
  readonly times: ChainTimes;
  /** Makespan of Theorem 1's order over that of `exact`: 1 when it is optimal. */
  readonly ratio: number;
  /** The run in Theorem 1's order. */
  readonly optSche: Run;
  /** The run in the best order. */
  readonly exact: Run;
}

/**
 * Runs both orders on one communication lane.
 *
 * ```ts
 * import { theorem1Loss } from "@schemoe/lab/studies";
 * const times = { C1: 1, A1: 0, D1: 0, E: 0, C2: 0, A2: 1, D2: 0 };
 * console.assert(theorem1Loss(times, 2).ratio === 4 / 3); // at worst 2 r / (r + 1)
 * ```
 * @throws {SchemoeError} naming a time that is no number of at least 0.
 */
export function theorem1Loss(times: ChainTimes, chunks: number): Theorem1Loss {
  expect("theorem1Loss", "times", times, THEOREM1_LOSS_TIMES);
  expect("theorem1Loss", "chunks", chunks, aCount);
  const timed = timedGraph({ chunks, times });
  const runs = { optSche: timedRun(timed, optSche), exact: timedRun(timed, exact) };
  return { chunks, times, ratio: runs.optSche.makespan / runs.exact.makespan, ...runs };
}

/** What {@linkcode theorem1Losses} samples. */
export interface LossOptions {
  /** Numbers of chunks. */
  readonly chunks: readonly number[];
  /** Instances for each of them; default 100. */
  readonly count?: number;
  /** Of the random times; default 1. */
  readonly seed?: number;
  /** Makes random times fulfil assumptions; default none. */
  readonly assume?: (times: ChainTimes) => ChainTimes;
  /** Of the chart. */
  readonly title?: string;
}

/** Losses of random instances. As a cell's last value it shows each of them as a dot. */
export class Theorem1Losses {
  /** Made by {@linkcode theorem1Losses}. */
  constructor(readonly title: string, readonly losses: readonly Theorem1Loss[]) {}

  /** The instance that loses most, of all or of one number of chunks. */
  worst(chunks?: number): Theorem1Loss {
    const among = this.losses.filter((loss) => chunks === undefined || loss.chunks === chunks);
    if (among.length === 0) {
      throw new SchemoeError(`Cannot find the worst instance: none has ${chunks} chunks`);
    }
    return among.reduce((worst, loss) => loss.ratio > worst.ratio ? loss : worst);
  }

  /** One line for each number of chunks: how many lose, the median of those, the most. */
  get summary(): string {
    return [...new Set(this.losses.map(({ chunks }) => chunks))].map((chunks) => {
      const ratios = this.losses.filter((loss) => loss.chunks === chunks).map(({ ratio }) => ratio);
      const above = ratios.filter((ratio) => ratio > 1 + 1e-9).sort((a, b) => a - b);
      const lost = `${chunks} chunks: ${above.length} of ${ratios.length} lose`;
      if (above.length === 0) return lost;
      const [median, most] = [above[Math.floor(above.length / 2)], above.at(-1)!];
      return `${lost}, median of those ${median.toFixed(3)}x, most ${most.toFixed(3)}x`;
    }).join("\n");
  }

  /** SVG text: a dot for each instance, by A2 / A1 and by its loss. */
  svg(options: { readonly theme?: Theme } = {}): Promise<string> {
    return lossSvg(this.title, this.losses, options);
  }

  /** The same picture as the bytes of a PNG. @throws {SchemoeError} for a scale that is none. */
  async png(options: PngOptions = {}): Promise<Uint8Array> {
    return await svgToPng(await this.svg({ theme: "light" }), options);
  }

  /** The summary. */
  toString(): string {
    return this.summary;
  }

  /** Picture and summary, for a notebook. */
  async [Symbol.for("Jupyter.display")](): Promise<Record<string, string>> {
    const shown = displayable({ text: this.summary, svg: await this.svg() });
    return await shown[Symbol.for("Jupyter.display")]();
  }
}

/**
 * Losses for stages that take random times, log-uniform from 1/64 s to 1 s.
 * @throws {SchemoeError} for an unknown option, or numbers of chunks that are none.
 */
export function theorem1Losses(options: LossOptions): Theorem1Losses {
  expect("theorem1Losses", "options", options, THEOREM1_LOSSES_OPTIONS);
  const { chunks, count = 100, seed = 1, assume = (times) => times } = options;
  const random = uniforms(seed);
  const losses = chunks.flatMap((number) =>
    Array.from({ length: count }, () => theorem1Loss(assume(randomTimes(random)), number))
  );
  return new Theorem1Losses(options.title ?? "Theorem 1's order against the best", losses);
}

const randomTimes = (random: () => number): ChainTimes =>
  Object.fromEntries(STAGES.map((stage) => [stage, 2 ** (-OCTAVES * random())])) as ChainTimes;
