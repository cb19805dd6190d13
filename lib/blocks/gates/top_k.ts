/** Gates by which each token goes to its k best experts. @module */
import { checkFields } from "../../arguments/mod.ts";
import type { Gate, GateUpdate } from "./types.ts";
import { linearLogits } from "./linear_logits.ts";
import {
  checkCount,
  type LogitsOption,
  logitsOption,
  type WeightOptions,
  weightOptions,
} from "./options.ts";
import { checkOptions, failGate, type Logits, routed } from "./routed.ts";

/** Options of the choice of the k best. */
export interface BestOptions extends WeightOptions {
  /** Experts of a token; default 1. */
  readonly k?: number;
  /**
   * Adds `gate.selectionBias` [experts] to the scores for choosing alone (DeepSeek-V3, arXiv 2412.19437): no
   * gradient, begins with 0, set by `layer.set` or changed by `update`. Default: where there is an update.
   */
  readonly selectionBias?: boolean;
  /** What changes the selection bias after each backward pass, such as `signUpdate({ rate: 1e-3 })`. */
  readonly update?: GateUpdate;
  /** Experts in as many equal runs, of which only the `groupLimit` with the best sums of two are kept. */
  readonly groups?: number;
  /** Runs of `groups` that a token may choose from; default all. */
  readonly groupLimit?: number;
  /** Experts without computation beside the others (LongCat-Flash, arXiv 2509.01322); default 0. */
  readonly identities?: number;
  /**
   * Tokens marked in `gate.padding` [ranks, tokens] (int32, set by `layer.set`; other than 0 is padding) go nowhere and
   * count in no load, no update and no loss; default false.
   */
  readonly padding?: boolean;
}

/** Options of {@linkcode topK}. */
export interface TopKOptions extends BestOptions, LogitsOption {
  /** Adds a trained `gate.bias` to the logits, where `logits` does not say what they are; default false. */
  readonly bias?: boolean;
}

const BEST = [
  "k",
  "scores",
  "normalize",
  "scale",
  "weighs",
  "selectionBias",
  "update",
  "groups",
  "groupLimit",
  "identities",
  "padding",
];

/**
 * Each token goes to its k best experts (Lepikhin et al., "GShard", ICLR'21; Fedus et al., "Switch
 * Transformers", JMLR'22). Options make it the gate of Mixtral (`scores: "softmaxOfChosen"`), DeepSeek-V3
 * (`scores: "sigmoid"`, groups, selection bias, scale), gpt-oss (`bias`), Llama-4 (`weighs: "input"`) and others.
 *
 * Equal scores: the larger logit, then the lower expert; of groups with equal sums the lower one. NaN is chosen before
 * everything, so that it shows.
 *
 * ```ts
 * import { createLayer, openEngine, topK } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * const gate = topK({ k: 2, scores: "sigmoid", scale: 2.5, groups: 2, groupLimit: 1 });
 * using layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 8, gate });
 * ```
 * @throws {SchemoeError} for an unknown option or a value that cannot be.
 */
export function topK(options: TopKOptions = {}): Gate {
  checkFields(options, [...BEST, "bias", "logits"], {
    what: "options",
    fail: (problem) => failGate("topK", problem),
  });
  const { bias, logits, ...others } = options;
  if (logits && bias !== undefined) {
    failGate("topK", "logits say whether there is a bias: linearLogits({ bias: true })");
  }
  const found = logits ? logitsOption("topK", { logits }) : linearLogits({ bias });
  return chooseBest("topK", found, others, ["bias", "logits"]);
}

/** A gate that chooses the k best of some logits. */
export function chooseBest(
  name: string,
  logits: Logits,
  options: BestOptions,
  own: readonly string[] = [],
): Gate {
  const { k = 1, groups = 1, groupLimit = groups, identities = 0, update } = options;
  const { selectionBias = update !== undefined, padding = false } = options;
  const foreign = Object.fromEntries(
    Object.entries(options).filter(([key]) => !BEST.includes(key)),
  );
  checkOptions(name, foreign, [...BEST, ...own]);
  const weights = weightOptions(name, options);
  checkCount(name, "groups", groups);
  checkCount(name, "groupLimit", groupLimit);
  checkCount(name, "identities", identities, 0);
  if (groupLimit > groups) failGate(name, `groupLimit ${groupLimit} is more than ${groups} groups`);
  if (padding && update?.name === "quantile") {
    failGate(name, "quantile balancing ranks all tokens, so that there can be no padding");
  }
  if (update && !selectionBias) failGate(name, "an update needs the selectionBias that it changes");
  return routed({
    name,
    k,
    logits,
    ...weights,
    chosen: "largest",
    groups,
    groupLimit,
    selectionBias,
    identities,
    padding,
    ...(update ? { update } : {}),
  });
}
