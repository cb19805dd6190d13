/** FlowMoE's search for the size of the pieces of reductions. @module */
import type { Engine } from "../../engine.ts";
import { createStack, type StackConfig } from "../../layer/mod.ts";
import { SchemoeError } from "../../types.ts";
import { quoted } from "../../words.ts";
import { nextSample } from "./bayesian.ts";

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
  /** Seconds of a step for each number of pieces that was tried, in order. */
  readonly trials: readonly { readonly gradientChunks: number; readonly seconds: number }[];
}

const SAMPLES = 8;
const PIECES = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];

/**
 * How FlowMoE would run a stack of layers: all-to-alls of two chunks, reductions of gradients cut into pieces that fill
 * the gaps between them, and the size of a piece found by Bayesian optimisation with 8 samples of training steps
 * (FlowMoE, as described by its authors: no model of times).
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
 * @throws {SchemoeError} for a stack without attention, which has no reductions to cut.
 */
export async function flowMoeSearch(
  engine: Engine,
  config: StackConfig,
  { samples = SAMPLES }: { readonly samples?: number } = {},
): Promise<FlowMoeChoice> {
  if (!Number.isSafeInteger(samples) || samples < 1) {
    throw new SchemoeError(
      `Cannot search as FlowMoE: samples is ${quoted(samples)}, not an integer from 1 on`,
    );
  }
  if (typeof config !== "object" || config === null || !("layers" in config)) {
    throw new SchemoeError(
      "Cannot search as FlowMoE: give an engine and the sizes of a stack, flowMoeSearch(engine, { layer, layers, attention })",
    );
  }
  if (!config.attention) {
    throw new SchemoeError(
      "Cannot search as FlowMoE: the stack has no attention whose gradients are reduced",
    );
  }
  const choices = { scheduler: "optSche", allToAll: "linear", chunks: 2 };
  const trials: { gradientChunks: number; seconds: number }[] = [];
  const candidates = PIECES.map(Math.log2);
  for (let i = 0; i < Math.min(samples, PIECES.length); i++) {
    const tried = trials.map(({ gradientChunks, seconds }) => ({
      x: Math.log2(gradientChunks),
      y: seconds,
    }));
    const gradientChunks = PIECES[nextSample(candidates, tried)];
    using stack = createStack(engine, { ...config, gradientChunks });
    const forward = await stack.forward({ ...choices, results: false });
    const backward = await stack.backward({ ...choices, results: false });
    trials.push({ gradientChunks, seconds: forward.makespan + backward.makespan });
  }
  const best = trials.reduce((a, b) => b.seconds < a.seconds ? b : a);
  return { gradientChunks: best.gradientChunks, choices, trials };
}
