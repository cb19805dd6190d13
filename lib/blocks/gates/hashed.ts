/** The gate that chooses by token number. @module */
import { lookUpChoices } from "../../kernels/mod.ts";
import type { Gate } from "./types.ts";
import {
  checkCount,
  type LogitsOption,
  logitsOption,
  type WeightOptions,
  weightOptions,
} from "./options.ts";
import { checkOptions, routed } from "./routed.ts";

/** Options of {@linkcode hashed}. */
export interface HashedOptions extends WeightOptions, LogitsOption {
  /** Experts of a token; default 1. */
  readonly k?: number;
  /** Numbers that a token may have. */
  readonly vocabulary: number;
  /** Experts without computation beside the others, the last numbers of a table; default 0. */
  readonly identities?: number;
}

/**
 * The k experts of a token are a row of a table, by the token's number; their weights are learned scores (Roller et
 * al., "Hash layers", arXiv 2106.04426; the first layers of DeepSeek-V4). `layer.set` gives `gate.table`
 * [vocabulary, k], such as a {@linkcode hashTable}, and `gate.tokenIds` [ranks, tokens].
 *
 * ```ts
 * import { createLayer, hashed, openEngine } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * const gate = hashed({ k: 2, vocabulary: 100, scores: "sqrtSoftplus", scale: 1.5 });
 * using layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 4, gate });
 * ```
 */
export function hashed(given: HashedOptions): Gate {
  const { k = 1, vocabulary, identities = 0, ...options }: HashedOptions = Object(given);
  const { scores: _, normalize: _n, scale: _s, weighs: _w, logits: _l, ...others } = options;
  checkOptions("hashed", others, [
    ...["k", "vocabulary", "identities", "logits"],
    ...["scores", "normalize", "scale", "weighs"],
  ]);
  checkCount("hashed", "vocabulary", vocabulary);
  checkCount("hashed", "identities", identities, 0);
  return routed({
    name: "hashed",
    k,
    identities,
    logits: logitsOption("hashed", options),
    chosen: "given",
    ...weightOptions("hashed", options),
    tensors: ({ tokens }) => [
      { name: "table", shape: [vocabulary, k], dtype: "int32", life: "state" },
      { name: "tokenIds", shape: [tokens], dtype: "int32", life: "input" },
    ],
    choose: (c) => [
      lookUpChoices({ ...c, k }, vocabulary, {
        ids: c.tensor("tokenIds"),
        table: c.tensor("table"),
        choices: c.choices,
      }),
    ],
  });
}
