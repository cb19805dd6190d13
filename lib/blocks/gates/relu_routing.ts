/** The gate that chooses every expert of positive logit. @module */
import { anything, expect, options } from "../../arguments/mod.ts";
import type { Gate } from "./types.ts";
import {
  checkCount,
  type LogitsOption,
  logitsOption,
  type WeightOptions,
  weightOptions,
} from "./options.ts";
import { checkOptions, routed } from "./routed.ts";

const RELU_ROUTING_GIVEN = options({
  k: anything,
  identities: anything,
  logits: anything,
  normalize: anything,
  scale: anything,
  weighs: anything,
});

/** Options of {@linkcode reluRouting}. */
export interface ReluOptions extends Omit<WeightOptions, "scores">, LogitsOption {
  /** Experts of a token that one expects, for capacities and simulations; default 1. */
  readonly k?: number;
  /** Experts without computation beside the others; default 0. */
  readonly identities?: number;
}

/**
 * A token goes to every expert whose logit is above 0, with the logit as its weight (Wang et al., "ReMoE", arXiv
 * 2412.14711): no choice to differentiate through. Weights are not normalized by default.
 *
 * ```ts
 * import { createLayer, openEngine, reluRouting } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * const [gate, routing] = [reluRouting({ k: 2 }), { capacityFactor: 0 }];
 * using layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 4, gate, routing });
 * ```
 */
export function reluRouting(given: ReluOptions = {}): Gate {
  expect("reluRouting", "given", given, RELU_ROUTING_GIVEN);
  const { k = 1, identities = 0, ...options } = given;
  const { normalize: _n, scale: _s, weighs: _w, logits: _l, ...others } = options;
  const known = ["k", "identities", "logits", "normalize", "scale", "weighs"];
  checkOptions("reluRouting", others, known);
  checkCount("reluRouting", "identities", identities, 0);
  return routed({
    name: "reluRouting",
    k,
    identities,
    logits: logitsOption("reluRouting", options),
    chosen: "positive",
    dense: true,
    ...weightOptions("reluRouting", {
      ...options,
      normalize: options.normalize ?? false,
      scores: "relu",
    }),
  });
}
