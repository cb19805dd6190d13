import type { Compressor } from "./types.ts";
import { scaled } from "./scaled.ts";

/**
 * e2m1 (0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives) in blocks of 1 x 32 with power-of-two scales of a byte
 * (E8M0): the exponent of the block's largest magnitude becomes 2; values then above 6 saturate.
 *
 * Bytes a row: `ceil(columns / 2) + ceil(columns / 32)`, padded to 16. Error at most a quarter of the largest
 * magnitude; relative RMSE on normal values 0.115. A block with NaN or an infinity arrives as NaN.
 *
 * Source: OCP Microscaling Formats (MX) Specification 1.0, 2023.
 */
export const mxfp4: Compressor = scaled({
  name: "mxfp4",
  codec: "mxfp4",
  bits: 4,
  block: 32,
  scaleBytes: 1,
  tolerance: { rounding: 4.3e-1, switched: 6.5e-1 },
});
