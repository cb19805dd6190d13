/** Quantile balancing. @module */
import { anything, expect, options } from "../../arguments/mod.ts";
import { quantileBias, quantileShift } from "../../kernels/mod.ts";
import { SchemoeError } from "../../types.ts";
import { quoted } from "../../words.ts";
import type { GateUpdate } from "../gates/types.ts";

const QUANTILE_UPDATE_OPTIONS = options({ ema: anything });

/**
 * After each backward pass the selection bias moves towards that with which every expert would be chosen equally often:
 * with a_t the (k + 1)-th largest of z[t] + bias, an expert asks for minus the (tokens * k / experts + 1)-th largest of
 * z[t, e] - a_t; bias = ema * bias + (1 - ema) * (mean over ranks of that), centred (Megatron-LM, "quantile
 * balancing", whose beta is -bias). For scores that are the logits: `softmaxOfChosen`.
 *
 * ```ts
 * import { quantileUpdate, topK } from "@schemoe/lab/blocks";
 * const gate = topK({ k: 2, scores: "softmaxOfChosen", update: quantileUpdate({ ema: 0.9 }) });
 * console.assert(gate.update?.name === "quantile");
 * ```
 * @throws {SchemoeError} for an `ema` that is not from 0 to 1.
 */
export function quantileUpdate(options: { readonly ema: number }): GateUpdate {
  expect("quantileUpdate", "options", options, QUANTILE_UPDATE_OPTIONS);
  const { ema }: typeof options = Object(options);
  if (!(typeof ema === "number" && ema >= 0 && ema <= 1)) {
    throw new SchemoeError(
      `Cannot make the update quantile: ema must be a number from 0 to 1, got ${quoted(ema)}`,
    );
  }
  return {
    name: "quantile",
    part: (c, out) => [
      quantileBias({ ...c, k: c.topK }, {
        logits: c.logits,
        bias: c.tensor("selectionBias"),
        out,
      }),
    ],
    apply: (c, sums) => [
      quantileShift({ rows: c.rows, ranks: sums.ranks, ema }, {
        sums,
        bias: c.tensor("selectionBias"),
      }),
    ],
  };
}
