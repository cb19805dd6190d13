/** The interface of chunkings, which split a pass into chunks. @module */
import type { Chunk, Loads, Topology } from "../types.ts";

/** How a pass is split. */
export interface Chunking {
  /** What runs, captions and errors call it, such as `4 capacity slices`. */
  readonly name: string;
  /**
   * Chunks of a layer of this capacity, in order. Where a slot has rows of its own number (a dropless layer, a padded
   * one with copies of experts) there are loads too: the places of a chunk then have rows only where there are tokens
   * for them.
   */
  split(at: {
    /** Places of an expert, or slot, for the tokens of one rank. */
    readonly capacity: number;
    /** The ranks that exchange rows: all of them, or those of one expert group. */
    readonly topology: Topology;
    /** Rows that each rank sends to each expert, or slot; absent where all have `capacity` rows. */
    readonly loads?: Loads;
    /**
     * Whether a gate's choices gave capacity and loads (a dropless layer that has routed its tokens): a batch decides
     * then how many rows there are, and fewer chunks than asked for are better than an error. Default false.
     */
    readonly routed?: boolean;
    /** Experts, or slots of experts, of a rank; default: equal parts for all ranks of those of the loads. */
    readonly localExperts?: number;
  }): readonly Chunk[];
}
