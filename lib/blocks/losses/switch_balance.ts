/** The balance loss of Switch Transformers. @module */
import type { Loss } from "./types.ts";
import { balance, type LossWeight } from "./balance.ts";
import { weightOf } from "./weight.ts";

/**
 * Balance loss of each rank: experts * sum over e of (mean probability of e) * (share of all choices that are e), before
 * dropping (Fedus et al., JMLR'22; with k > 1 as in Megatron-LM).
 *
 * ```ts
 * import { switchBalance } from "@schemoe/lab/blocks";
 * console.assert(switchBalance({ weight: 0.01 }).name === "switch");
 * ```
 */
export const switchBalance = (options: LossWeight): Loss =>
  balance({ name: "switch", weight: weightOf("switch", options), first: false });
