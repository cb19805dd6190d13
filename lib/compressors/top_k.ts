/** The largest values of each row. @module */
import type { Compressor } from "./types.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";

/**
 * The given share of each row's values that are largest in magnitude, rounded up, with their columns; all others
 * arrive as 0. Among equal magnitudes the lower columns; NaN is larger than infinity, infinity than any number.
 *
 * Bytes a row with k = ceil(columns round(65536 share) / 65536): k float32 values in the order of their columns, then
 * k columns in 2 bytes, 4 where rows have more than 65536; padded to 16. Values that are kept are exact.
 *
 * ```ts
 * import { largestShare } from "@schemoe/lab/compressors";
 * console.assert(largestShare(1 / 4).wireBytes({ rows: 2, columns: 64 }) === 2 * 16 * 6);
 * ```
 *
 * @param share from 1/131072 to 1.
 * @throws {SchemoeError} for another share.
 */
export function largestShare(share: number): Compressor {
  const parts = typeof share === "number" && share <= 1 ? Math.round(65536 * share) : NaN;
  if (!(parts >= 1)) {
    throw new SchemoeError(
      `Cannot keep the largest values: their share is ${
        quoted(share)
      }, not a number from 1/131072 to 1`,
    );
  }
  return {
    name: `topKValues-${share}`,
    native: { codec: "topKValues", parameter: parts },
    wireBytes: ({ rows, columns }) => {
      const kept = Math.ceil(columns * parts / 65536);
      return rows * 16 * Math.ceil(kept * (columns <= 65536 ? 6 : 8) / 16);
    },
  };
}

/** {@linkcode largestShare} of 1/16: 3 bits a value in float32. */
export const topKValues: Compressor = {
  ...largestShare(1 / 16),
  name: "topKValues",
  // nearly all values are dropped: errors may not be larger than what is missing
  tolerance: { rounding: 1.1, switched: 1.1 },
};
