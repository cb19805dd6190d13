/**
 * Experts: the network that each expert runs on the rows routed to it.
 *
 * ```ts
 * import { ffn, swiglu } from "@schemoe/lab/blocks";
 * console.assert(swiglu().parameters({ modelDim: 8, hiddenDim: 16 }).length === 3);
 * console.assert(ffn({ activation: "gelu" }).name === "ffn(gelu)");
 * ```
 * @module
 */
export type * from "./types.ts";
export { clampedSwiglu } from "./clamped_swiglu.ts";
export { ffn, type FfnOptions } from "./ffn.ts";
export { geglu } from "./geglu.ts";
export { limitedSwiglu } from "./limited_swiglu.ts";
export { onnx, type OnnxExpert, type OnnxOptions } from "./onnx.ts";
export { swiglu } from "./swiglu.ts";
