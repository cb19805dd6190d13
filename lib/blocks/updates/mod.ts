/**
 * Updates of a gate without a gradient.
 *
 * ```ts
 * import { signUpdate } from "@schemoe/lab/blocks";
 * console.assert(signUpdate({ rate: 1e-3 }).name === "sign");
 * ```
 * @module
 */
export { type BudgetOptions, budgetUpdate } from "./budget.ts";
export { quantileUpdate } from "./quantile.ts";
export { signUpdate } from "./sign.ts";
