/** A balance loss over the global batch. @module */
import type { Loss } from "./types.ts";
import { balance, type LossWeight } from "./balance.ts";
import { weightOf } from "./weight.ts";

/**
 * Like `switchBalance`, with choices and tokens of all ranks, which a task sums up (Qiu et al., "Demons in the
 * detail", arXiv 2501.11873). Like all losses here it is summed over ranks, where the paper averages.
 *
 * ```ts
 * import { globalBatch } from "@schemoe/lab/blocks";
 * console.assert(globalBatch({ weight: 0.001 }).global === true);
 * ```
 */
export function globalBatch(options: LossWeight): Loss {
  return balance({
    name: "globalBatch",
    weight: weightOf("globalBatch", options),
    global: true,
    first: false,
  });
}
