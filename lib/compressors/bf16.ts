import type { Compressor } from "./types.ts";

/** The upper half of float32, rounded to nearest even: relative error 2^-8, range of float32. */
export const bf16: Compressor = {
  name: "bf16",
  native: { codec: "bf16" },
  tolerance: { rounding: 7e-3, switched: 1e-1 },
  wireBytes: ({ rows, columns }) => 2 * rows * columns,
};
