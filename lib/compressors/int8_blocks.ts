import type { Compressor } from "./types.ts";
import { scaled } from "./scaled.ts";

/**
 * One byte a value in blocks of 1 x 128 with float32 scales: scale = amax / 127, code = x 127 / amax to the nearest
 * integer, ties to even.
 *
 * Bytes a row: `columns + 4 ceil(columns / 128)`, padded to 16. Error at most amax / 254 of the block (of 2^-100 where
 * all values are smaller); relative RMSE on normal values 0.0065. Beside `int8`, which has one range for a whole row, a
 * column with outliers costs only its own block. A block with NaN or an infinity arrives as NaN.
 */
export const int8Blocks: Compressor = scaled({
  name: "int8Blocks",
  codec: "int8Blocks",
  bits: 8,
  block: 128,
  scaleBytes: 4,
  tolerance: { rounding: 2e-2, switched: 1.4e-1 },
});
