/** The importance loss of noisy gates. @module */
import { importanceLoss } from "../../kernels/mod.ts";
import type { Loss } from "./types.ts";
import type { LossWeight } from "./balance.ts";
import { weightOf } from "./weight.ts";

/**
 * Squared coefficient of variation, over experts, of the sums of weights before dropping (Shazeer et al., arXiv
 * 1701.06538): population variance, no epsilon; 0 where no token of a rank has an expert.
 *
 * ```ts
 * import { importance } from "@schemoe/lab/blocks";
 * console.assert(importance({ weight: 0.1 }).name === "importance");
 * ```
 */
export function importance(options: LossWeight): Loss {
  const weight = weightOf("importance", options);
  return {
    name: "importance",
    weight,
    slopes: ["importance"],
    forward: (c) => [
      importanceLoss({ ...c, k: c.topK }, c.weight, { ...c, importance: c.slopes.importance! }),
    ],
  };
}
