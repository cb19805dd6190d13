/** The interface of compressors, and the context of their calls. @module */
import type { SourceKernels } from "../kernels/source.ts";
import type { NativeCodec } from "../kernels/types.ts";
import type { Pass } from "../types.ts";

/** Rows and columns of a block that a compressor encodes: `encode` and `decode` get the one that `wireBytes` was given. */
export interface WireBlock {
  /** Rows of tokens. */
  readonly rows: number;
  /** Values of a row. */
  readonly columns: number;
  /** Bytes of an element before encoding; default 4. */
  readonly elementBytes?: number;
  /**
   * Rows of each expert, which follow each other; default all of one. Given to a compressor that codes several
   * rows together.
   */
  readonly groups?: readonly number[];
}

/** Where a codec in JavaScript is called. */
export interface CodecContext {
  /** The rank that encodes or decodes, and the rank at the other end of the wire. */
  readonly rank: number;
  /** The rank at the other end of the wire. */
  readonly peer: number;
  /** Chunk of the pass. */
  readonly chunk: number;
  /** 1 towards the experts, 2 back. */
  readonly leg: 1 | 2;
  /** Pass in which it is called. */
  readonly pass: Pass;
  /**
   * Number of the token in each row, -1 for a place without one; undefined on the experts' side, where it is
   * not known.
   */
  readonly tokens: Int32Array | undefined;
  /**
   * Memory that outlives the run, zero at first, one for each name and (pass, leg, chunk, rank, peer). Blocks of
   * another size (other chunks, rows of a dropless layer) need one of another name.
   * @throws {SchemoeError} when it was asked for with another size before.
   */
  state(name: string, bytes: number): Uint8Array;
}

/**
 * A codec. Built-in ones name a native kernel; others are compiled from source by {@linkcode compressor}, or give
 * `encode` and `decode`, which run in JavaScript while other lanes go on.
 */
export interface Compressor {
  /** What layers, captions and errors call it. */
  readonly name: string;
  /** Bytes on the wire of one block; at least 1 for a block that is not empty. */
  wireBytes(block: WireBlock): number;
  /** The native kernel of a built-in codec. */
  readonly native?: NativeCodec;
  /** Functions `encode` and `decode` that are compiled when they are first used: see {@linkcode compressor}. */
  readonly kernels?: SourceKernels;
  /**
   * How far results of a layer may be from those without a codec, relative in the 2-norm: `rounding` is about twice
   * the error on the reference cases, `switched` that of gradients behind a ReLU, of which rounding switches some
   * units. Default: not known, so that `deno task verify` refuses it.
   */
  readonly tolerance?: { readonly rounding: number; readonly switched: number };
  /** Codes rows of an expert together: `wireBytes`, `encode` and `decode` are given the rows of each expert. */
  readonly grouped?: boolean;
  /**
   * Rows of an expert, from the first on, that are coded together at most; default 1. Chunks given as a number are cut
   * at multiples of it, so that the bytes of a row do not depend on their number.
   */
  readonly height?: number;
  /** Floats of a block (of any layer: bfloat16 too), row by row, to exactly `wireBytes(block)` bytes. */
  encode?(
    values: Float32Array,
    block: WireBlock,
    context: CodecContext,
  ): Uint8Array | Promise<Uint8Array>;
  /** The inverse, to `rows * columns` floats. */
  decode?(
    bytes: Uint8Array,
    block: WireBlock,
    context: CodecContext,
  ): Float32Array | Promise<Float32Array>;
}
