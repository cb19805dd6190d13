/** What tuning found. @module */
import { expect, record, something } from "../arguments/mod.ts";
import type { Engine } from "../engine.ts";
import { type Candidate, candidateName, type Predicted } from "../layer/mod.ts";
import { type MachineProfile, median } from "../profile/mod.ts";
import {
  displayable,
  formatTime,
  type MediaBundle,
  type PngOptions,
  svgToPng,
} from "../timeline/mod.ts";
import { alignedText } from "../timeline/table/aligned_text.ts";
import type { AllowedCodecs } from "./codec_error.ts";
import { percent } from "./percent.ts";
import { candidatesSvg } from "./tune_chart.ts";

const PASS = record("what a pass was tuned to { chosen, ... }", { chosen: something });
const MADE = record("tuned passes, as tune(...) makes them", { forward: PASS });

/** A candidate: predicted, bounded, and measured where it was among the best. */
export interface TunedRow extends Predicted {
  /** Makespans in seconds, in the order in which they were measured; empty where it was not. */
  readonly measured: readonly number[];
}

/** One pass. */
export interface PassTuning {
  /** The pass that was tuned. */
  readonly pass: "forward" | "backward";
  /** Distinct orders that were simulated, the fastest prediction first. */
  readonly rows: readonly TunedRow[];
  /** Candidates that were not simulated, because their bound in seconds is above the best prediction. */
  readonly pruned: readonly { readonly choices: Candidate; readonly bound: number }[];
  /** Orders that were simulated. */
  readonly simulated: number;
  /** Combinations of choices in all. */
  readonly candidates: number;
  /** The fastest that was measured. */
  readonly chosen: TunedRow;
}

/** Both passes of a layer or stack as it was made. */
export interface TunedPasses {
  /** What was found for the forward pass. */
  readonly forward: PassTuning;
  /** What was found for the backward pass, where it was tuned. */
  readonly backward?: PassTuning;
  /** Measured errors of the codecs that were considered. */
  readonly errors: AllowedCodecs["errors"];
  /** What was tuned, in lines: sizes, and the world with its links as far as they are known. */
  readonly facts: readonly string[];
  /** Passes that were run to measure. */
  readonly runs: number;
  /** Seconds that all of it took. */
  readonly seconds: number;
}

/** What is chosen before a layer or stack is made. */
export interface Variant {
  /** Of the engine, where there are several. */
  readonly name?: string;
  /** Engine of the variant. */
  readonly engine: Engine;
  /** Pieces of a stack's reductions. */
  readonly gradientChunks?: number;
  /** Profile that predicts on this engine; default the cost model of its topology. */
  readonly profile?: MachineProfile;
}

/** A variant with the best that was found for it. */
export interface TunedVariant {
  /** What was tuned. */
  readonly variant: Variant;
  /** What was found for it. */
  readonly passes: TunedPasses;
}

const DISPLAY = Symbol.for("Jupyter.display");
/** Rows of the table. */
const SHOWN = 12;

/** Choices of both passes. As a cell's last value it shows its picture and its table. */
export class Tuned {
  /** To be handed to `forward`, `backward`, or both to a training step. */
  readonly forward: Candidate;
  /** Choices of the backward pass; undefined where the layer has none. */
  readonly backward: Candidate | undefined;
  /**
   * By how much the choice can be slower than the best candidate, as a part: measured ones are known, and of the others
   * none is faster than its bound, if tasks take what the profile says. `Infinity`, nothing is proven, where a pass was
   * measured in less than its bound, so that they do not.
   */
  readonly regret: { readonly forward: number; readonly backward: number };
  /** What was tried, for each pass. */
  readonly passes: readonly PassTuning[];

  /** Name of the engine, where several were given. */
  readonly engine?: string;
  /** Pieces of a stack's reductions, where several were given. */
  readonly gradientChunks?: number;

  /**
   * Made by {@linkcode tune}.
   * @param variants those that were compared, the choice of which is `made`.
   */
  constructor(readonly made: TunedPasses, readonly variants: readonly TunedVariant[] = []) {
    expect("new Tuned", "made", made, MADE);
    const { forward, backward } = made;
    const chosen = variants.find(({ passes }) => passes === made)?.variant;
    this.engine = chosen?.name;
    this.gradientChunks = chosen?.gradientChunks;
    this.forward = forward.chosen.choices;
    this.backward = backward?.chosen.choices;
    this.passes = [forward, ...(backward ? [backward] : [])];
    this.regret = {
      forward: regretOf(forward, [forward, ...variants.map(({ passes }) => passes.forward)]),
      backward: backward
        ? regretOf(backward, [backward, ...variants.flatMap(({ passes }) => passes.backward ?? [])])
        : 0,
    };
  }

  /** The variant whose step takes least. */
  static ofVariants(variants: readonly TunedVariant[]): Tuned {
    const best = variants.reduce((a, b) => stepOf(b.passes) < stepOf(a.passes) ? b : a);
    return new Tuned(best.passes, variants);
  }

  /** In words. */
  get summary(): string {
    const all = this.variants.length > 0 ? this.variants.map(({ passes }) => passes) : [this.made];
    const runs = all.reduce((sum, passes) => sum + passes.runs, 0);
    const seconds = all.reduce((sum, passes) => sum + passes.seconds, 0);
    const lines = this.passes.map(({ pass, chosen, candidates, simulated, pruned, rows }) => {
      const tried = rows.filter(({ measured }) => measured.length > 0).length;
      return `${pass}: ${candidateName(chosen.choices)}, ${
        formatTime(1e9 * median(chosen.measured))
      } (predicted ${formatTime(1e9 * chosen.seconds)}, bound ${
        formatTime(1e9 * chosen.bound)
      }); ` +
        `of ${candidates} candidates ${simulated} simulated, ${pruned.length} left out by their ` +
        `bound, ${tried} measured; ${
          this.regret[pass] < Infinity
            ? `no candidate is faster by more than ${percent(this.regret[pass])}`
            : "by how much another one is faster is not known"
        }`;
    });
    const unfit = this.passes.map(({ pass }) => pass).filter((pass) =>
      !(this.regret[pass] < Infinity)
    );
    if (unfit.length > 0) {
      lines.push(
        `${
          unfit.join(" and ")
        }: measured in less than the bound, so that the rates behind predictions and bounds ` +
          "are not those of this engine, and a faster candidate may have been left out: give the profile of calibrate(engine)",
      );
    }
    if (this.variants.length > 1) {
      const what = [
        ...(this.engine === undefined ? [] : [`engine ${this.engine}`]),
        ...(this.gradientChunks === undefined ? [] : [
          `${this.gradientChunks} ${this.gradientChunks === 1 ? "piece" : "pieces"} of reductions`,
        ]),
      ].join(", ");
      lines.unshift(`${what}: the best of ${this.variants.length}`);
    }
    return [...lines, `${runs} passes measured, ${seconds.toFixed(1)} s in all`].join("\n");
  }

  /** SVG text: bound, prediction and measurements of the best candidates. */
  svg(): Promise<string> {
    const passes = this.passes.map(({ pass, rows, chosen }) => ({
      pass,
      rows: shownRows(rows, chosen).map((row) => ({
        name: candidateName(row.choices),
        predicted: row.seconds,
        bound: row.bound,
        measured: row.measured,
        chosen: row === chosen,
      })),
    }));
    return candidatesSvg(passes, this.made.facts);
  }

  /** The best candidates of each pass as text, with the chosen one; below, of what the times are. */
  toString(): string {
    const time = (seconds: number) => formatTime(1e9 * seconds);
    const head = ["pass", "choices", "predicted", "measured", "bound"];
    const body = this.passes.flatMap(({ pass, rows, chosen }) =>
      shownRows(rows, chosen).map((row) => [
        pass,
        `${candidateName(row.choices)}${row === chosen ? " (chosen)" : ""}`,
        time(row.seconds),
        row.measured.length > 0 ? time(median(row.measured)) : "",
        time(row.bound),
      ])
    );
    const table = alignedText([head, ...body], (column) => column > 1);
    const all = this.variants.length > 1 ? `${table}\n\n${this.#variantTable()}` : table;
    return [all, ...this.made.facts].join("\n");
  }

  /** What each engine, and each number of pieces of reductions, came to. */
  #variantTable(): string {
    const time = (pass?: PassTuning) => pass ? formatTime(1e9 * median(pass.chosen.measured)) : "";
    const head = ["engine", "gradient chunks", "forward", "backward", "step"];
    const body = this.variants.map(({ variant: { name, gradientChunks }, passes }) => [
      name ?? "",
      `${gradientChunks ?? ""}`,
      time(passes.forward),
      time(passes.backward),
      `${formatTime(1e9 * stepOf(passes))}${passes === this.made ? " (chosen)" : ""}`,
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

/** The best by prediction, and the chosen one wherever it is. */
const shownRows = (rows: readonly TunedRow[], chosen: TunedRow): readonly TunedRow[] =>
  rows.indexOf(chosen) < SHOWN ? rows.slice(0, SHOWN) : [...rows.slice(0, SHOWN - 1), chosen];

/** Part of a bound by which measurements scatter. */
const SCATTER = 0.05;

const beatsItsBound = ({ measured, bound }: TunedRow): boolean =>
  measured.length > 0 && median(measured) < bound * (1 - SCATTER);

/** What the best candidate could be faster by, of other variants too. */
function regretOf({ chosen }: PassTuning, passes: readonly PassTuning[]): number {
  if (passes.some(({ rows }) => rows.some(beatsItsBound))) return Infinity;
  const limits = passes.flatMap(({ rows, pruned }) => [
    ...rows.map(({ measured, bound }) => measured.length > 0 ? median(measured) : bound),
    ...pruned.map(({ bound }) => bound),
  ]);
  const seconds = median(chosen.measured);
  return Math.max(0, seconds / Math.min(...limits.filter((limit) => limit > 0)) - 1);
}

/** Seconds of both passes. */
const stepOf = ({ forward, backward }: TunedPasses): number =>
  median(forward.chosen.measured) + (backward ? median(backward.chosen.measured) : 0);
