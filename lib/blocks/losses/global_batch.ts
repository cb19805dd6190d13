/** A balance loss over the global batch. @module */
import { anything, expect, options } from "../../arguments/mod.ts";
import type { Loss } from "./types.ts";
import { balance, type LossWeight } from "./balance.ts";
import { weightOf } from "./weight.ts";

const GLOBAL_BATCH_OPTIONS = options({ weight: anything });

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
  expect("globalBatch", "options", options, GLOBAL_BATCH_OPTIONS);
  return balance({
    name: "globalBatch",
    weight: weightOf("globalBatch", options),
    global: true,
    first: false,
  });
}
