import type { Compressor } from "./types.ts";

/**
 * One byte a value: each row is mapped from its smallest..largest value to 0..255, and the row's two
 * float32 parameters travel with it. Error at most half a step, `(max - min) / 510`, for a finite row of any
 * range. A row with NaN or an infinity arrives as NaN in all its places.
 *
 * Bytes: `rows (columns + 8)`: first {float min, float step} of each row, then the rows' levels q. With
 * `step = (max - min) / 255` (rounded up below 2^-126), `q = floor((x - min) / step + 0.5)` clamped to 0..255 (0 where the step is 0), decoded
 * as `min + q step`, each float32 operation rounded once; from a step of 2^100 on all of it in quarters, which
 * cannot overflow, and clamped to the largest float.
 */
export const int8: Compressor = {
  name: "int8",
  native: { codec: "int8" },
  tolerance: { rounding: 1.7e-2, switched: 1.3e-1 },
  wireBytes: ({ rows, columns }) => rows * (columns + 8),
};
