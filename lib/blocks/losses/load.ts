/** The load loss of noisy gates. @module */
import { loadLoss } from "../../kernels/mod.ts";
import type { Loss } from "./types.ts";
import type { LossWeight } from "./balance.ts";
import { weightOf } from "./weight.ts";

/**
 * Squared coefficient of variation of the loads that the noise lets one expect: sums over tokens of the probability that
 * an expert is among the k best once its own noise is drawn anew (Shazeer et al., arXiv 1701.06538). Needs
 * `noisyTopK`, and more experts than k. 0 where all tokens of a rank are padding.
 *
 * ```ts
 * import { load } from "@schemoe/lab/blocks";
 * console.assert(load({ weight: 0.1 }).name === "load");
 * ```
 */
export function load(options: LossWeight): Loss {
  const weight = weightOf("load", options);
  return {
    name: "load",
    weight,
    slopes: ["load"],
    needs: ["clean", "spread"],
    forward: (c) => [
      loadLoss(c, c.weight, {
        ...c,
        slopes: c.slopes.load!,
        clean: c.gateTensor("clean"),
        spread: c.gateTensor("spread"),
      }),
    ],
  };
}
