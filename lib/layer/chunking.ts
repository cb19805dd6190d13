/** How a pass is split into chunks. @module */
import { type Chunking, SchemoeError } from "../types.ts";

/**
 * Splits the capacity of every expert into `chunks` slices that differ by at most one row, so that
 * their number changes neither the capacity nor the result.
 */
export function capacitySlices(chunks: number): Chunking {
  return {
    name: `${chunks} capacity ${chunks === 1 ? "slice" : "slices"}`,
    split({ capacity }) {
      if (!Number.isInteger(chunks) || chunks < 1 || chunks > capacity) {
        throw new SchemoeError(
          `Cannot split the pass: chunks must be an integer from 1 to the capacity ${capacity}, got ${chunks}`,
        );
      }
      const bound = (i: number) => Math.floor((i * capacity) / chunks);
      return Array.from({ length: chunks }, (_, i) => ({ begin: bound(i), end: bound(i + 1) }));
    },
  };
}
