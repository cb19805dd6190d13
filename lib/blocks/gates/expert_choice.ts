/** The gate by which experts choose tokens. @module */
import { anything, expect, options } from "../../arguments/mod.ts";
import { chooseTokens } from "../../kernels/mod.ts";
import type { Gate } from "./types.ts";
import { type LogitsOption, logitsOption, type WeightOptions, weightOptions } from "./options.ts";
import { checkOptions, routed } from "./routed.ts";

const EXPERT_CHOICE_GIVEN = options({
  k: anything,
  logits: anything,
  scores: anything,
  normalize: anything,
  scale: anything,
  weighs: anything,
});

/** Options of {@linkcode expertChoice}. */
export interface ExpertChoiceOptions extends WeightOptions, LogitsOption {
  /** Experts of a token on average, at capacity factor 1; default 1. */
  readonly k?: number;
}

/** Tokens of an expert: min(tokens, floor(factor * tokens * k / experts)), the factor 1 where there is none. */
const taken = (k: number, { tokens, experts, capacityFactor }: {
  readonly tokens: number;
  readonly experts: number;
  readonly capacityFactor: number;
}): number => {
  const factor = capacityFactor > 0 ? capacityFactor : 1;
  return Math.min(tokens, Math.floor(factor * tokens * k / experts));
};

/**
 * Each expert takes those of a rank's tokens that score highest for it, as many as it has places; a token may have
 * any number of experts, also none (Zhou et al., "Mixture-of-experts with expert choice routing", arXiv
 * 2202.09368). Nothing is dropped. Weights are not normalized by default.
 *
 * ```ts
 * import { createLayer, expertChoice, openEngine } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * const gate = expertChoice({ k: 2 });
 * using layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 4, gate });
 * ```
 */
export function expertChoice(given: ExpertChoiceOptions = {}): Gate {
  expect("expertChoice", "given", given, EXPERT_CHOICE_GIVEN);
  const { k = 1, ...options } = given;
  const { scores: _, normalize: _n, scale: _s, weighs: _w, logits: _l, ...others } = options;
  const known = ["k", "logits", "scores", "normalize", "scale", "weighs"];
  checkOptions("expertChoice", others, known);
  return routed({
    name: "expertChoice",
    k,
    logits: logitsOption("expertChoice", options),
    chosen: "given",
    dense: true,
    ...weightOptions("expertChoice", {
      ...options,
      normalize: options.normalize ?? false,
    }),
    capacity: (shape) => taken(k, shape),
    choose: (c) => [chooseTokens({ ...c, count: c.capacity }, c)],
  });
}
