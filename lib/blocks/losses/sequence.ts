/** DeepSeek-V3's sequence-wise balance loss. @module */
import { countChoices, dropPadding, route } from "../../kernels/mod.ts";
import type { Kernel } from "../../types.ts";
import type { Loss, LossContext } from "./types.ts";
import { balanceOf, type LossWeight } from "./balance.ts";
import { weightOf } from "./weight.ts";

/**
 * Balance loss of a rank's tokens, taken as one sequence: like `switchBalance`, but it counts the k largest scores of
 * each token without selection bias and groups (DeepSeek-V3, arXiv 2412.19437, section 2.1.2).
 *
 * ```ts
 * import { sequence } from "@schemoe/lab/blocks";
 * console.assert(sequence({ weight: 1e-4 }).name === "sequence");
 * ```
 */
export function sequence(options: LossWeight): Loss {
  const weight = weightOf("sequence", options);
  return {
    name: "sequence",
    weight,
    slopes: ["balance"],
    tensors: ({ tokens, rows, k }) => [
      { name: "scores", shape: [tokens, rows], life: "pass" },
      { name: "choices", shape: [tokens, k], dtype: "int32", life: "pass" },
      { name: "weights", shape: [tokens, k], life: "pass" },
    ],
    count: (c) => [...best(c), countChoices(c, c.k, { ...c, ...own(c) })],
    forward: (c) => [balanceOf(c, c.k)],
  };
}

const own = (c: LossContext) => ({
  scores: c.tensor("scores"),
  choices: c.tensor("choices"),
  weights: c.tensor("weights"),
});

/** The choices that the scores alone would make. */
function best(c: LossContext): Kernel[] {
  const chosen = route(
    c,
    { scores: c.kind, chosen: "largest", normalize: false, scale: 1 },
    { logits: c.logits, ...own(c) },
  );
  return c.padding ? [chosen, dropPadding(c, { ...own(c), padding: c.padding })] : [chosen];
}
