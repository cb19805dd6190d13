/** The balance loss of Switch Transformers. @module */
import type { Loss } from "./types.ts";
import { balance, type LossWeight } from "./balance.ts";
import { weightOf } from "./weight.ts";

/**
 * Balance loss of each rank: experts * sum over e of (mean probability of e) * (choices of e) / (k * tokens), before
 * dropping (Fedus et al., JMLR'22; with k > 1 as in Megatron-LM). Experts are all of the gate's rows, those without
 * computation too; k is the gate's, whose tokens may have more or fewer choices.
 *
 * ```ts
 * import { switchBalance } from "@schemoe/lab/blocks";
 * console.assert(switchBalance({ weight: 0.01 }).name === "switch");
 * ```
 */
export function switchBalance(options: LossWeight): Loss {
  return balance({
    name: "switch",
    weight: weightOf("switch", options, "switchBalance"),
    first: false,
  });
}
