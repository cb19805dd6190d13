/** What a study of codecs finds of one. @module */
import type { ValueError } from "./error.ts";

/** One codec of a study. */
export interface CodecStudyRow {
  /** Name of the codec. */
  readonly codec: string;
  /** Bits on the wire for a value, of 64 rows of an expert. */
  readonly bits: number;
  /** Seconds of the forward and, where there is one, the backward pass together. */
  readonly makespan: number;
  /** GB/s that its kernels read and write, of all tasks of the kind together; undefined where there is none. */
  readonly encodeRate?: number;
  /** The same of decoding. */
  readonly decodeRate?: number;
  /** Error of the output. */
  readonly output: ValueError;
  /** Errors of the gradients, by name; none where the expert is forward only. */
  readonly gradients: Readonly<Record<string, ValueError>>;
}
