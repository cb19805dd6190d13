/**
 * Runs of equal values and of packed bits in a page of Parquet (the "RLE/bit-packing hybrid").
 * @module
 */

/** Numbers of the encodings whose values are such runs: PLAIN_DICTIONARY, RLE and RLE_DICTIONARY. */
export const RUN_ENCODINGS: ReadonlySet<number> = new Set([2, 3, 8]);

/**
 * Walks over runs until they hold all values, or end because nulls have none; a reader would write as
 * many as they say.
 * @param width bits of a value
 * @throws {Error} when a run says more values than are left, or its bits are not there.
 */
export function checkRuns(bytes: Uint8Array, width: number, values: number): void {
  if (!(width <= 32)) throw new RangeError(`values of ${width} bits`);
  let at = 0;
  for (let left = values; left > 0;) {
    if (at === bytes.length) return;
    let header = 0;
    for (let scale = 1, byte = 128; byte >= 128; scale *= 128) {
      if (at >= bytes.length) throw new RangeError("a run is cut off");
      byte = bytes[at++];
      header += (byte & 127) * scale;
    }
    const packed = header % 2 === 1;
    const count = packed ? 8 * ((header - 1) / 2) : header / 2;
    // Packed values come in eights, of which the last may be partly unused.
    if (count === 0 || count > left + (packed ? 7 : 0)) {
      throw new RangeError(`a run of ${count} values where ${left} are left`);
    }
    at += packed ? Math.ceil(Math.min(count, left) * width / 8) : Math.ceil(width / 8);
    if (at > bytes.length) throw new RangeError(`a run of ${count} values beyond its bytes`);
    if (packed) at += Math.floor((count - Math.min(count, left)) * width / 8);
    left -= count;
  }
}
