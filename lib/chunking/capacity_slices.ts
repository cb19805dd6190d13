/** How a pass is split into chunks. @module */
import { quoted } from "../words.ts";
import type { Chunking } from "./types.ts";
import { type Loads, SchemoeError } from "../types.ts";
import { rowsBefore } from "./loads.ts";

/**
 * Splits the capacity of every expert into `chunks` slices that differ by at most one row, so that
 * their number changes neither the capacity nor the result. Where only the places that are taken have rows
 * (a dropless layer), the slices have about as many rows each on the rank whose experts get most, and there are fewer
 * than `chunks` where a gate chose that no expert gets as many rows (`routed`): what a batch chooses cannot end a
 * training run.
 *
 * @param multiple slices begin at multiples of so many rows, where there are enough for all: what a codec that codes
 * rows together (`Compressor.height`) makes of them then does not depend on the number of chunks. Default 1; a pass
 * whose chunks are given as a number takes that of its codecs.
 */
export function capacitySlices(chunks: number, multiple = 1): Chunking {
  return {
    name: `${typeof chunks === "number" ? chunks : quoted(chunks)} capacity ${
      chunks === 1 ? "slice" : "slices"
    }`,
    split({ capacity, loads, localExperts, routed }) {
      const count = routed ? Math.min(chunks, Math.max(1, capacity)) : chunks;
      if (!Number.isInteger(chunks) || chunks < 1 || count > capacity) {
        throw new SchemoeError(
          `Cannot split the pass: chunks must be an integer from 1 to the capacity ${capacity}, got ${
            quoted(chunks)
          }`,
        );
      }
      const unit = Math.ceil(capacity / multiple) < count ? 1 : multiple;
      const units = Math.ceil(capacity / unit);
      const local = loads && (localExperts ?? loads.experts / loads.ranks);
      const cut = loads
        ? equalRows(loads, { chunks: count, capacity, unit, local: local! })
        : (i: number) => Math.floor((i * units) / count);
      const bound = (i: number) => Math.min(capacity, unit * cut(i));
      return Array.from({ length: count }, (_, i) => ({ begin: bound(i), end: bound(i + 1) }));
    },
  };
}

/** Bounds, in units of rows, between which the experts of the busiest rank have about equal numbers of rows. */
function equalRows(
  loads: Loads,
  { chunks, capacity, unit, local }: Record<"chunks" | "capacity" | "unit" | "local", number>,
): (i: number) => number {
  const of = (place: number) => ({ begin: place * local, end: (place + 1) * local });
  let busiest = 0;
  let most = -1;
  for (let place = 0; place < loads.experts / local; place++) {
    const rows = rowsBefore(loads, of(place), capacity);
    if (rows > most) [busiest, most] = [place, rows];
  }
  const units = Math.ceil(capacity / unit);
  const before = (place: number) =>
    rowsBefore(loads, of(busiest), Math.min(capacity, unit * place));
  const bounds = [0];
  for (let i = 1; i < chunks; i++) {
    // The first place at which there are as many rows; at least one place a chunk.
    let low = bounds[i - 1] + 1;
    let high = units - (chunks - i);
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(middle) * chunks >= i * most) high = middle;
      else low = middle + 1;
    }
    bounds.push(low);
  }
  bounds.push(units);
  return (i) => bounds[i];
}
