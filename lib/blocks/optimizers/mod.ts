/**
 * How parameters follow from gradients.
 *
 * ```ts
 * import { adamw, sgd } from "@schemoe/lab/blocks";
 * console.assert(adamw().name === "adamw" && sgd({ momentum: 0.9 }).name === "sgd");
 * ```
 * @module
 */
export { adamw, type AdamwOptions } from "./adamw.ts";
export { sgd } from "./sgd.ts";
export type { Optimizer, UpdateContext } from "./optimizer.ts";
