import type { Compressor } from "./types.ts";

/** Rows as they are. */
export const none: Compressor = {
  name: "none",
  native: { codec: "none" },
  wireBytes: ({ rows, columns, elementBytes = 4 }) => elementBytes * rows * columns,
};
