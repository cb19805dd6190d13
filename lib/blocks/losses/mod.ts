/**
 * Losses on the routing: what keeps experts equally busy.
 *
 * ```ts
 * import { gshard } from "@schemoe/lab/blocks";
 * console.assert(gshard({ weight: 0.01 }).name === "gshard");
 * ```
 * @module
 */
export { gshard } from "./gshard.ts";
