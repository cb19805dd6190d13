/**
 * The tables of Shi et al., "ScheMoE", EuroSys'24, predicted from published alpha and beta alone.
 *
 * ```ts
 * import { paperSizes } from "@schemoe/lab/paper";
 * console.assert(paperSizes().every(({ pipe, linear }) => pipe < linear));
 * ```
 * @module
 */
export { type AblationExplained, explainAblation } from "./explain.ts";
export { paperSvg } from "./chart.ts";
export { type Finding, findings } from "./findings.ts";
export { type Grid, gridOf, paperGrid } from "./grid.ts";
export { type PaperOrder, paperOrders } from "./orders.ts";
export { Predictor } from "./predict.ts";
export { GRID_MEAN, type Method, PUBLISHED, type Published } from "./published.ts";
export { allToAllSeconds } from "../sizes/alone.ts";
export { paperSizes, type SizeRow } from "./sizes.ts";
export { type PaperRow, type PaperTables, paperTables } from "./tables.ts";
export type { Predicted } from "./predict.ts";
export type { Workload } from "./workloads.ts";
export type { WorkloadName } from "./published.ts";
