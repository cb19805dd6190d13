/**
 * Losses on the routing: what keeps experts equally busy.
 *
 * ```ts
 * import { gshard } from "@schemoe/lab/blocks";
 * console.assert(gshard({ weight: 0.01 }).name === "gshard");
 * ```
 * @module
 */
export type * from "./types.ts";
export type { LossWeight } from "./balance.ts";
export { globalBatch } from "./global_batch.ts";
export { gshard } from "./gshard.ts";
export { importance } from "./importance.ts";
export { load } from "./load.ts";
export { orthogonal } from "./orthogonal.ts";
export { sequence } from "./sequence.ts";
export { switchBalance } from "./switch_balance.ts";
export { z } from "./z.ts";
