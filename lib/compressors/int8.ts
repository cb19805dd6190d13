import type { Compressor } from "../types.ts";

/**
 * One byte a value: each row is mapped from its smallest..largest value to 0..255, and the row's two
 * float32 parameters travel with it. Error at most half a step, `(max - min) / 510`.
 */
export const int8: Compressor = {
  name: "int8",
  native: 2,
  wireBytes: ({ rows, columns }) => rows * (columns + 8),
};
