/** Eight-bit floats with a float32 scale for each 128 columns. @module */
import type { Compressor } from "./types.ts";
import { scaled } from "./scaled.ts";

/**
 * e4m3 in blocks of 1 x 128 with float32 scales, layout and rounding as DeepEP's dispatch: scale = amax / 448 with
 * amax at least 1e-4, code = e4m3(x 448 / amax) to nearest even, decoded as code times scale.
 *
 * Bytes a row: `columns + 4 ceil(columns / 128)`, padded to 16. Relative error 2^-4 at most down to amax / 28672,
 * absolute amax / 458752 below (of blocks with amax under 1e-4: of 1e-4); relative RMSE on normal values 0.026. NaN
 * stays NaN in its place and infinities become NaN; they do not change the block's scale.
 *
 * Source: DeepSeek, DeepEP, `per_token_cast_to_fp8`; Micikevicius et al., "FP8 formats for deep learning", 2022.
 */
export const fp8: Compressor = scaled({
  name: "fp8",
  codec: "fp8",
  bits: 8,
  block: 128,
  scaleBytes: 4,
  tolerance: { rounding: 1.1e-1, switched: 2.5e-1 },
});

/**
 * e5m2 as {@linkcode fp8}: scale = amax / 57344, relative error 2^-3 at most, relative RMSE on normal values 0.053.
 * NaN and infinities stay in their places.
 */
export const fp8e5m2: Compressor = scaled({
  name: "fp8e5m2",
  codec: "fp8e5m2",
  bits: 8,
  block: 128,
  scaleBytes: 4,
  tolerance: { rounding: 1.9e-1, switched: 4e-1 },
});
