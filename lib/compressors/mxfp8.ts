import type { Compressor } from "./types.ts";
import { scaled } from "./scaled.ts";

/**
 * e4m3 in blocks of 1 x 32 with power-of-two scales of a byte (E8M0): the exponent of the block's largest
 * magnitude becomes 8; values then above 448 saturate.
 *
 * Bytes a row: `columns + ceil(columns / 32)`, padded to 16. Relative error 2^-4 at most, 1/8 for values that
 * saturate; relative RMSE on normal values 0.030. NaN stays NaN in its place and infinities become NaN.
 *
 * Source: OCP Microscaling Formats (MX) Specification 1.0, 2023.
 */
export const mxfp8: Compressor = scaled({
  name: "mxfp8",
  codec: "mxfp8",
  bits: 8,
  block: 32,
  scaleBytes: 1,
  tolerance: { rounding: 1.1e-1, switched: 3.2e-1 },
});
