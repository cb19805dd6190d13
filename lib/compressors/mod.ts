/**
 * Compressors: what a block of rows looks like on the wire.
 *
 * ```ts
 * import { fp16, int8 } from "@schemoe/lab/compressors";
 * console.assert(fp16.wireBytes({ rows: 4, columns: 8 }) === 64);
 * console.assert(int8.wireBytes({ rows: 4, columns: 8 }) === 64);
 * ```
 * @module
 */
export { none } from "./none.ts";
export { fp16 } from "./fp16.ts";
export { bf16 } from "./bf16.ts";
export { int8 } from "./int8.ts";
export { fixedRateZfp, zfp, type ZfpOptions } from "./zfp.ts";
