import { quoted } from "../words.ts";
import { CODECS } from "../kernels/mod.ts";
import type { Compressor } from "./types.ts";
import { SchemoeError } from "../types.ts";

/**
 * The compressor rounding at random instead of to nearest: up with the probability of the fraction that is cut off, so
 * that the mean of a value over seeds is the value itself (but for values that saturate).
 *
 * The random bits (Philox 4x32-10) are a function of the seed, the pass, the leg, the token's place at its expert
 * (source rank, expert, place) and the column: not of chunks, schedule or position on the wire. Take another seed for
 * each step.
 *
 * ```ts
 * import { fp8, stochastic } from "@schemoe/lab/compressors";
 * console.assert(stochastic(fp8, 7).name === "fp8-random-7");
 * ```
 *
 * @param seed an integer from 1 to 2^50.
 * @throws {SchemoeError} for a codec that cannot, and for another seed.
 */
export function stochastic(codec: Compressor, seed: number): Compressor {
  if (typeof codec?.wireBytes !== "function") {
    throw new SchemoeError(`Cannot round at random: give a compressor, got ${quoted(codec)}`);
  }
  const native = codec.native;
  const known = CODECS as Record<string, { random: boolean }>;
  if (!native || !known[native.codec]?.random) {
    const names = Object.entries(known).filter(([, { random }]) => random).map(([name]) => name);
    throw new SchemoeError(
      `Cannot round at random: the compressor ${quoted(codec.name)} has none of the native codecs ${
        names.join(", ")
      }`,
    );
  }
  if (!Number.isSafeInteger(seed) || seed < 1 || seed > 2 ** 50) {
    throw new SchemoeError(
      `Cannot round at random: the seed is ${quoted(seed)}, not an integer from 1 to 2^50`,
    );
  }
  return {
    ...codec,
    name: `${codec.name}-random-${seed}`,
    native: { ...native, seed },
    tolerance: undefined,
  };
}
