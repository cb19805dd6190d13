/** The way of the rows of a pass to the experts and back, and the legs that it is made of. @module */
import type { AllToAll } from "../alltoall/types.ts";
import type { Compressor } from "../compressors/types.ts";
import type { NodeRows, RowLayout, RowsOf } from "../memory/mod.ts";
import type { Task } from "../types.ts";

/** What all legs of a pass share. */
export interface Way extends RowsOf {
  /** Whose plan the exchanges follow. */
  readonly allToAll: AllToAll;
  /** Where the rows lie. */
  readonly rows: RowLayout;
  /** Present where each token crosses once to a node. */
  readonly node?: NodeRows;
  /** Tells a layer of a stack from the others. */
  readonly scope?: string;
  /** Backward: weight gradients of chunks are added up in any order, see `Scheduler.reassociate`. */
  readonly reassociate?: boolean;
}

/** Codecs of the two ways of a pass, by the forward one. */
export interface Codecs {
  /** Codec of the rows towards the experts. */
  readonly dispatch: Compressor;
  /** Codec of the rows on their way back. */
  readonly combine: Compressor;
}

/** Rows of other values that travel beside those of a leg, where these lie. */
export interface BesideLeg {
  /** Their layout. */
  readonly way: Way;
  /** Tells their buffers from those of the leg. */
  readonly name: string;
  readonly compressor: Compressor;
  /** Buffers they are taken from and brought to. */
  readonly from: string;
  readonly to: string;
}

/** One leg of one chunk. */
export interface Leg {
  /** 1 towards the experts, 2 back. */
  readonly number: 1 | 2;
  readonly chunk: number;
  readonly stage: number;
  readonly after: readonly Task[];
  readonly compressor: Compressor;
  /** Buffers of rows it takes from and brings to. */
  readonly from: string;
  readonly to: string;
  /** Of a leg beside another: tells its buffers from those of that one. */
  readonly name?: string;
  /** Other rows beside these. */
  readonly beside?: BesideLeg;
}
