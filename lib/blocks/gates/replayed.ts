/** The gate that repeats a routing. @module */
import { loadsOf } from "../../routing/loads.ts";
import { repeatedChoice } from "../../routing/repeated.ts";
import type { RouterTrace } from "../../routing/types.ts";
import type { Gate, GateContext, GateShape } from "./types.ts";
import { linearLogits } from "./linear_logits.ts";
import { type WeightOptions, weightOptions } from "./options.ts";
import { checkOptions, failGate, routed } from "./routed.ts";

/** Options of {@linkcode replayed}. */
export interface ReplayedOptions extends WeightOptions {
  /** Made up, recorded (`run.routing`) or imported; of as many ranks, tokens and experts as the layer. */
  readonly trace: RouterTrace;
}

/**
 * A gate that chooses what a routing says, on every engine: the simulator takes its loads in dropless layers, where
 * nothing else is given. Weights are learned scores of the chosen experts, as for `hashed`, so a routing that was
 * recorded from a gate with the same scores gives the same results again. A token may have fewer choices (-1).
 *
 * ```ts
 * import { createLayer, openEngine } from "@schemoe/lab";
 * import { replayed } from "@schemoe/lab/blocks";
 * import { zipfRouting } from "@schemoe/lab/routing";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * const trace = zipfRouting({ ranks: 2, tokens: 64, experts: 4, topK: 2, exponent: 1 });
 * const routing = { dropless: true };
 * const gate = replayed({ trace });
 * using layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 4, gate, routing });
 * console.assert((await layer.forward({ chunks: 2 })).makespan > 0);
 * ```
 * @throws {SchemoeError} for a routing without choices, and (when the layer is made) one of other tokens or experts.
 */
export function replayed(given: ReplayedOptions): Gate {
  const { trace, ...options }: ReplayedOptions = Object(given);
  const { scores: _, normalize: _n, scale: _s, weighs: _w, ...others } = options;
  checkOptions("replayed", others, ["trace", "scores", "normalize", "scale", "weighs"]);
  if (typeof trace?.choices !== "function" || typeof trace.tokens !== "function") {
    failGate("replayed", "trace must be a routing, such as zipfRouting(...) or run.routing");
  }
  const { topK: k, ranks } = trace;
  let partial = false;
  for (let rank = 0; rank < ranks; rank++) {
    const choices = trace.choices(rank);
    checkChoices(trace, rank, choices);
    partial ||= choices.includes(-1);
  }
  const gate = routed({
    name: `replayed ${trace.name}`,
    k,
    logits: linearLogits(),
    chosen: "given",
    ...weightOptions("replayed", options),
    tensors: (shape) => {
      checkTrace(trace, shape);
      return [];
    },
    choose: (c) => [choicesOf(trace, c)],
  });
  return {
    ...gate,
    ...(partial ? { partial } : {}),
    loads: () => loadsOf(trace),
    routing: () => trace,
  };
}

function checkChoices(trace: RouterTrace, rank: number, choices: Int32Array): void {
  const { name, topK, experts } = trace;
  const count = trace.tokens(rank) * topK;
  if (choices.length !== count) {
    failGate(
      "replayed",
      `the routing "${name}" has ${choices.length} choices on rank ${rank}, not ${count}`,
    );
  }
  const odd = choices.findIndex((expert) => !(expert >= -1 && expert < experts));
  const twice = odd < 0 ? repeatedChoice(choices, topK) : undefined;
  if (twice) {
    const { token, expert } = twice;
    failGate(
      "replayed",
      `the routing "${name}" sends token ${token} of rank ${rank} to expert ${expert} twice; ` +
        `the experts of a token must differ (-1: none)`,
    );
  }
  if (odd < 0) return;
  const token = `token ${Math.floor(odd / topK)} of rank ${rank}`;
  failGate(
    "replayed",
    `the routing "${name}" sends ${token} to expert ${choices[odd]} of ${experts}`,
  );
}

function checkTrace(trace: RouterTrace, { tokens, rankTokens, experts }: GateShape): void {
  const whose = `the routing "${trace.name}"`;
  if (trace.experts !== experts) {
    failGate("replayed", `${whose} has ${trace.experts} experts, the layer ${experts}`);
  }
  for (let rank = 0; rank < trace.ranks; rank++) {
    const own = rankTokens ? rankTokens[rank] : tokens;
    if (trace.tokens(rank) === own) continue;
    const has = `${trace.tokens(rank)} tokens on rank ${rank}`;
    failGate("replayed", `${whose} has ${has}, the layer ${own}`);
  }
}

function choicesOf(trace: RouterTrace, c: GateContext) {
  return c.host(({ rank, write }) => {
    const { buffer, byteOffset, byteLength } = trace.choices(rank);
    write(c.choices, new Uint8Array(buffer, byteOffset, byteLength));
  });
}
