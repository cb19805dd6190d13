import type { Compressor } from "./types.ts";
import { scaled } from "./scaled.ts";

/**
 * Half a byte a value in blocks of 1 x 32 with bfloat16 scales: scale = amax / 7 rounded to bfloat16, code = x / scale
 * to the nearest integer from -7 to 7, ties to even.
 *
 * Bytes a row: `ceil(columns / 2)`, from a multiple of 4 on `2 ceil(columns / 32)`, padded to 16. Error at most 0.52
 * scales (of blocks whose values are all below 2^-100: of the scale for 2^-100); relative RMSE on normal values 0.097. A block with NaN or an infinity arrives as NaN.
 */
export const int4: Compressor = scaled({
  name: "int4",
  codec: "int4",
  bits: 4,
  block: 32,
  scaleBytes: 2,
  tolerance: { rounding: 3.6e-1, switched: 6.5e-1 },
});
