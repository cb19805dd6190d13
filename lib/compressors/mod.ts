/**
 * Compressors: the encoding of a block of rows on the wire.
 *
 * ```ts
 * import { fp16, int8 } from "@schemoe/lab/compressors";
 * console.assert(fp16.wireBytes({ rows: 4, columns: 8 }) === 64);
 * console.assert(int8.wireBytes({ rows: 4, columns: 8 }) === 64);
 * ```
 * @module
 */
export type * from "./types.ts";
export { none } from "./none.ts";
export { fp16 } from "./fp16.ts";
export { bf16 } from "./bf16.ts";
export { int8 } from "./int8.ts";
export { fp8, fp8e5m2 } from "./fp8.ts";
export { mxfp8 } from "./mxfp8.ts";
export { mxfp4 } from "./mxfp4.ts";
export { int8Blocks } from "./int8_blocks.ts";
export { int4 } from "./int4.ts";
export { largestShare, topKValues } from "./top_k.ts";
export { compressor, type CompressorSource } from "./compressor.ts";
export { errorFeedback } from "./error_feedback.ts";
export { stochastic } from "./stochastic.ts";
export { fixedRateZfp, zfp, type ZfpOptions } from "./zfp.ts";
