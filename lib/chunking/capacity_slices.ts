/** How a pass is split into chunks. @module */
import type { Chunking } from "./types.ts";
import { type Loads, SchemoeError } from "../types.ts";
import { rowsBefore } from "./loads.ts";
import { quoted } from "../words.ts";

/**
 * Splits the capacity of every expert into `chunks` slices that differ by at most one row, so that
 * their number changes neither the capacity nor the result. Where only the places that are taken have rows
 * (a dropless layer), the slices have about as many rows each on the rank whose experts get most.
 */
export function capacitySlices(chunks: number): Chunking {
  return {
    name: `${chunks} capacity ${chunks === 1 ? "slice" : "slices"}`,
    split({ capacity, loads, localExperts }) {
      if (!Number.isInteger(chunks) || chunks < 1 || chunks > capacity) {
        throw new SchemoeError(
          `Cannot split the pass: chunks must be an integer from 1 to the capacity ${capacity}, got ${
            quoted(chunks)
          }`,
        );
      }
      const bound = loads
        ? equalRows(loads, { chunks, capacity, local: localExperts ?? loads.experts / loads.ranks })
        : (i: number) => Math.floor((i * capacity) / chunks);
      return Array.from({ length: chunks }, (_, i) => ({ begin: bound(i), end: bound(i + 1) }));
    },
  };
}

/** Bounds between which the experts of the busiest rank have equal numbers of rows, as far as that goes. */
function equalRows(
  loads: Loads,
  { chunks, capacity, local }: Record<"chunks" | "capacity" | "local", number>,
): (i: number) => number {
  const of = (place: number) => ({ begin: place * local, end: (place + 1) * local });
  let busiest = 0;
  let most = -1;
  for (let place = 0; place < loads.experts / local; place++) {
    const rows = rowsBefore(loads, of(place), capacity);
    if (rows > most) [busiest, most] = [place, rows];
  }
  const bounds = [0];
  for (let i = 1; i < chunks; i++) {
    // The first place at which there are as many rows; at least one place a chunk.
    let low = bounds[i - 1] + 1;
    let high = capacity - (chunks - i);
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rowsBefore(loads, of(busiest), middle) * chunks >= i * most) high = middle;
      else low = middle + 1;
    }
    bounds.push(low);
  }
  bounds.push(capacity);
  return (i) => bounds[i];
}
