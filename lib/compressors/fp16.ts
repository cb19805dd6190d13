import type { Compressor } from "./types.ts";

/** IEEE half precision, rounded to nearest even: relative error 2^-11 down to 6e-5, infinity from 65520. */
export const fp16: Compressor = {
  name: "fp16",
  native: { codec: "fp16" },
  tolerance: { rounding: 1e-3, switched: 2.5e-2 },
  wireBytes: ({ rows, columns }) => 2 * rows * columns,
};
