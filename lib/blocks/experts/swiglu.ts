/** The gated feed-forward expert of Llama. @module */
import type { Expert, ScoreGradientOption } from "./types.ts";
import { gated } from "./gated.ts";

/**
 * `(silu(x @ w1) * (x @ w3)) @ w2` with w1, w3 [M, H] and w2 [H, M] (Shazeer, "GLU variants improve
 * transformer", arXiv 2002.05202).
 *
 * ```ts
 * import { createLayer, openEngine, topK } from "@schemoe/lab";
 * import { swiglu } from "@schemoe/lab/blocks";
 * using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
 * const sizes = { tokens: 16, modelDim: 8, hiddenDim: 16, experts: 4, gate: topK({ k: 2 }) };
 * const saved: number[] = [];
 * for (const scoreGradient of ["output", "activation"] as const) {
 *   const expert = swiglu({ scoreGradient });
 *   using layer = createLayer(engine, { ...sizes, expert, routing: { capacityFactor: 1 } });
 *   await layer.forward();
 *   await layer.backward();
 *   saved.push(layer.memory().lives.saved!);
 * }
 * // outputs of experts, topK x tokens x modelDim float32 a rank
 * console.assert(saved[0] - saved[1] === 4 * 2 * 16 * 8);
 * ```
 * @throws {SchemoeError} for an unknown score gradient.
 */
export const swiglu = (options: ScoreGradientOption = {}): Expert =>
  gated({ name: "swiglu", combine: "silu", bias: false }, options);
