/** Sizes of codecs whose columns share scales in blocks. @module */
import type { Compressor } from "./types.ts";

/** Bits a value, columns of a block and bytes of its scale. */
interface Format extends Pick<Compressor, "tolerance"> {
  readonly name: string;
  readonly codec: string;
  readonly bits: number;
  readonly block: number;
  readonly scaleBytes: number;
}

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;

/**
 * A compressor with rows of codes, lower half of a byte first, then from a multiple of 4 bytes on the scales of
 * their blocks, and zeros up to a multiple of 16 bytes. The last block of a row may be shorter.
 */
export function scaled({ name, codec, bits, block, scaleBytes, tolerance }: Format): Compressor {
  return {
    name,
    native: { codec },
    tolerance,
    wireBytes: ({ rows, columns }) =>
      rows * roundUp(
        roundUp(Math.ceil(columns * bits / 8), 4) + scaleBytes * Math.ceil(columns / block),
        16,
      ),
  };
}
