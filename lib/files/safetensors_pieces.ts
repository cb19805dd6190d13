/** Tensors in pieces, so that few bytes of a large one are in memory at the same time. @module */
import { dtypes } from "./dtypes.ts";
import type { TensorShape } from "./safetensors_encode.ts";
import { valuesOf } from "./safetensors_header.ts";

/** A range of the values of a tensor, row-major: from `begin` to before `end`. */
export interface ValueRange {
  /** Index of the first value. */
  readonly begin: number;
  /** Index after the last value. */
  readonly end: number;
}

/** Bytes that are in memory at the same time. */
const PIECE_BYTES = 1 << 24;

/** Ranges of about 16 MiB; a multiple of 8 values, so that packed ones fill their bytes. */
export function* pieces({ dtype, shape }: TensorShape): Generator<ValueRange> {
  const count = valuesOf(shape);
  const step = Math.floor(PIECE_BYTES / dtypes[dtype].size / 8) * 8;
  for (let begin = 0; begin < count; begin += step) {
    yield { begin, end: Math.min(count, begin + step) };
  }
}
