/** GShard's balance loss. @module */
import { auxLoss, fill, glu, matrixOf } from "../../kernels/mod.ts";
import type { Kernel } from "../../types.ts";
import type { Loss, LossContext } from "./types.ts";
import { balance, type LossWeight } from "./balance.ts";
import { weightOf } from "./weight.ts";

/**
 * Balance loss of each rank: experts * sum over e of (mean probability of e) * (share of tokens whose first choice is
 * e), times `weight` in the total (Lepikhin et al., "GShard", ICLR'21).
 *
 * ```ts
 * import { createLayer, openEngine, topK } from "@schemoe/lab";
 * import { gshard } from "@schemoe/lab/blocks";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * using layer = createLayer(engine, {
 *   tokens: 64, modelDim: 8, hiddenDim: 16, experts: 2, gate: topK({ k: 2 }), losses: [gshard({ weight: 0.01 })],
 * });
 * ```
 */
export function gshard(options: LossWeight): Loss {
  const weight = weightOf("gshard", options);
  const loss = balance({ name: "gshard", weight, first: true });
  // alone on a softmax it has a kernel of its own, and its gradient comes with the gate's
  const alone = (c: LossContext) => c.slopes.gshard !== undefined;
  return {
    ...loss,
    count: (c) => alone(c) ? [] : loss.count!(c),
    forward: (c) => alone(c) ? aloneOf(c) : loss.forward(c),
  };
}

function aloneOf(c: LossContext): Kernel[] {
  const [loss, total] = [matrixOf(c.loss, 1, 1), matrixOf(c.total, 1, 1)];
  return [auxLoss(c, c), fill(1, c.total, c.weight), glu(loss, total, total, "identity")];
}
