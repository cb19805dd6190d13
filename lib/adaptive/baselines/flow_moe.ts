/** FlowMoE's search for the size of the pieces of reductions. @module */
import { anEngine, checkFields, expect } from "../../arguments/mod.ts";
import type { Engine } from "../../engine.ts";
import { createStack, type StackConfig } from "../../layer/mod.ts";
import { SchemoeError } from "../../types.ts";
import { quoted } from "../../words.ts";
import { checkGrid } from "../../layer/auto/check_grid.ts";
import { nextSample, type Tried } from "./bayesian.ts";

/** What the search has found. */
export interface FlowMoeChoice {
  /** Pieces of each reduction of attention's gradients: the stack's `gradientChunks`. */
  readonly gradientChunks: number;
  /** Choices of both passes of the stack. */
  readonly choices: {
    readonly scheduler: string;
    readonly allToAll: string;
    readonly chunks: number;
  };
  /** Seconds of a step for each number of pieces, and of chunks, that was tried, in order. */
  readonly trials: readonly FlowMoeTrial[];
}

/** One training step that was spent on searching. */
export interface FlowMoeTrial {
  /** Pieces of each reduction. */
  readonly gradientChunks: number;
  /** Chunks of the passes. */
  readonly chunks: number;
  /** Forward and backward together. */
  readonly seconds: number;
}

/** What is searched. */
export interface FlowMoeOptions {
  /** Training steps that are tried; default 8. */
  readonly samples?: number;
  /**
   * Chunks of the passes: FlowMoE is told them, and searches the pieces alone; of several it searches both. Default 2,
   * or 1 where an expert has one place.
   */
  readonly chunks?: number | readonly number[];
}

const SAMPLES = 8;
const CHUNKS = 2;
const PIECES = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];

/**
 * How FlowMoE would run a stack of layers (NeurIPS'25): passes in chunks, reductions of gradients cut into pieces that
 * fill the gaps between all-to-alls, and the size of a piece found by Bayesian optimisation with 8 samples of training
 * steps; no model of times. Attention has no chunks here, which FlowMoE's has.
 *
 * ```ts
 * import { openEngine } from "@schemoe/lab";
 * import { flowMoeSearch } from "@schemoe/lab/adaptive";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 4 };
 * const stack = { layer, layers: 2, attention: { flops: 1e8, parameters: 1e5 } };
 * const { trials, gradientChunks } = await flowMoeSearch(engine, stack);
 * console.assert(trials.length === 8 && gradientChunks >= 1);
 * ```
 * @throws {SchemoeError} for a stack without attention, which has no reductions to cut, and for numbers of samples or
 * chunks that are none, or more chunks than an expert has places.
 */
export async function flowMoeSearch(
  engine: Engine,
  config: StackConfig,
  options: FlowMoeOptions = {},
): Promise<FlowMoeChoice> {
  checkFields(options, ["samples", "chunks"], { what: "options", fail });
  const { samples = SAMPLES, chunks } = options;
  if (!(Number.isSafeInteger(samples) && samples >= 1)) {
    fail(`samples is ${quoted(samples)}, not an integer from 1 on`);
  }
  if (typeof config !== "object" || config === null || !("layers" in config)) {
    fail(
      "give an engine and the sizes of a stack, flowMoeSearch(engine, { layer, layers, attention })",
    );
  }
  expect("flowMoeSearch", "engine", engine, anEngine);
  if (!config.attention) fail("the stack has no attention whose gradients are reduced");
  const counts = chunks === undefined
    ? [Math.min(CHUNKS, await placesOf(engine, config))]
    : typeof chunks === "number"
    ? [chunks]
    : chunks;
  checkGrid({ chunks: counts }, fail);
  const all = counts.flatMap((count) => PIECES.map((pieces) => ({ pieces, count })));
  const candidates = all.map(({ pieces, count }) => [Math.log2(pieces), Math.log2(count)]);
  const tried: Tried[] = [];
  const trials: FlowMoeTrial[] = [];
  while (trials.length < Math.min(samples, all.length)) {
    const next = nextSample(candidates, tried);
    const { pieces: gradientChunks, count } = all[next];
    using stack = createStack(engine, { ...config, gradientChunks });
    const choices = { ...CHOICES, chunks: count, results: false };
    const forward = await stack.forward(choices);
    const backward = await stack.backward(choices);
    const seconds = forward.makespan + backward.makespan;
    tried.push({ x: candidates[next], y: seconds });
    trials.push({ gradientChunks, chunks: count, seconds });
  }
  const best = trials.reduce((a, b) => b.seconds < a.seconds ? b : a);
  const { gradientChunks } = best;
  return { gradientChunks, choices: { ...CHOICES, chunks: best.chunks }, trials };
}

const CHOICES = { scheduler: "optSche", allToAll: "linear" };

/** Places of an expert, of which each chunk has at least one. */
async function placesOf(engine: Engine, config: StackConfig): Promise<number> {
  using stack = createStack(engine, config);
  return Number((await stack.forward({ results: false })).configuration.capacity);
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot search as FlowMoE: ${problem}`);
}
