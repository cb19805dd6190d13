import type { Compressor } from "../types.ts";

/** Float32 rows as they are. */
export const none: Compressor = {
  name: "none",
  native: 0,
  wireBytes: ({ rows, columns }) => 4 * rows * columns,
};
