/** zfp at a fixed rate, the codec of ScheMoE's experiments. @module */
import { anything, expect, options } from "../arguments/mod.ts";
import type { Compressor } from "./types.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";

const FIXED_RATE_ZFP_OPTIONS = options({ rate: anything, dimensions: anything });

/** Options of {@linkcode fixedRateZfp}. */
export interface ZfpOptions {
  /** Bits a value, 3 to 16; default 8. */
  readonly rate?: number;
  /**
   * 2 (default): blocks of four rows and four columns, never of two experts; 1: blocks of four columns, so
   * that a row's bytes do not depend on the others.
   */
  readonly dimensions?: 1 | 2;
}

/** Streams of blocks end on 64 bits. */
const streamBytes = (blocks: number, bits: number): number => 8 * Math.ceil(blocks * bits / 64);

/**
 * Blocks of values in fixed point at the largest exponent of the block, transformed, and coded bit plane by bit
 * plane until `rate` bits a value are used: bits equal libzfp's at `zfp_stream_set_rate(rate)` on a float array
 * of one row (`dimensions: 1`) or of all rows of an expert (`dimensions: 2`), padded to whole 64-bit words.
 *
 * Bytes: for each row `8 ceil(ceil(columns / 4) 4 rate / 64)`; in two dimensions for each expert
 * `8 ceil(ceil(rows / 4) ceil(columns / 4) 16 rate / 64)`. Relative RMS error on white normal values in two
 * dimensions about 0.29 at rate 4, 0.018 at 8, 0.0011 at 12; in one dimension 0.055 at rate 8. The bytes of a
 * row in two dimensions depend on its three neighbours and so, within that error, on how a pass is split into
 * chunks. Chunks given as a number are cut at multiples of four rows where there are enough of them, so that their
 * number changes no bit and nothing is lost to padding; those of a `Chunking` as it says. Blocks whose largest value is below
 * 2^-98 are coded as all others, where libzfp 1.0 overflows; values near the largest float may decode to infinity.
 *
 * NaN and infinity are outside of the format: encoding a row with one fails, naming it.
 *
 * Source: Lindstrom, "Fixed-rate compressed floating-point arrays", IEEE TVCG 20(12), 2014; used for MoE by
 * Shi et al., "ScheMoE", EuroSys 2024.
 *
 * ```ts
 * import { fixedRateZfp } from "@schemoe/lab/compressors";
 * console.assert(fixedRateZfp({ rate: 8 }).wireBytes({ rows: 6, columns: 64 }) === 2 * 16 * 16);
 * ```
 *
 * @throws {SchemoeError} for a rate that is no integer from 3 to 16, or another number of dimensions.
 */
export function fixedRateZfp(options: ZfpOptions = {}): Compressor {
  expect("fixedRateZfp", "options", options, FIXED_RATE_ZFP_OPTIONS);
  const { rate = 8, dimensions = 2 } = options;
  if (!Number.isInteger(rate) || rate < 3 || rate > 16) {
    throw new SchemoeError(
      `Cannot use zfp: its rate is ${quoted(rate)}, not an integer from 3 to 16`,
    );
  }
  if (dimensions !== 1 && dimensions !== 2) {
    throw new SchemoeError(`Cannot use zfp: it has ${quoted(dimensions)} dimensions, not 1 or 2`);
  }
  const across = (columns: number) => Math.ceil(columns / 4);
  return dimensions === 1
    ? {
      name: `zfp1-${rate}`,
      native: { codec: "zfp1", parameter: rate },
      wireBytes: ({ rows, columns }) => rows * streamBytes(across(columns), 4 * rate),
    }
    : {
      name: `zfp-${rate}`,
      native: { codec: "zfp", parameter: rate },
      grouped: true,
      height: 4,
      wireBytes: ({ rows, columns, groups = [rows] }) =>
        groups.reduce(
          (sum, n) => sum + streamBytes(Math.ceil(n / 4) * across(columns), 16 * rate),
          0,
        ),
    };
}

/** {@linkcode fixedRateZfp} with its defaults: two dimensions, 8 bits a value. */
export const zfp: Compressor = {
  ...fixedRateZfp(),
  name: "zfp",
  tolerance: { rounding: 7e-2, switched: 2.5e-1 },
};
