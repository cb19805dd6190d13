/**
 * Schedulers: pure functions from a task graph to a total order of its tasks.
 *
 * ```ts
 * import { optSche, sequential } from "@schemoe/lab/schedulers";
 * console.assert(sequential.name === "sequential" && optSche.name === "optSche");
 * ```
 * @module
 */
export { sequential } from "./sequential.ts";
export { optSche } from "./opt_sche.ts";
export { manual } from "./manual.ts";
export { exact, exactSchedule, type ExactOptions, type ExactSchedule, exactWith } from "./exact.ts";
