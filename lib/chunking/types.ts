/** The interface of chunkings, which split a pass into chunks. @module */
import type { Chunk, Loads, Topology } from "../types.ts";

/** How a pass is split. */
export interface Chunking {
  readonly name: string;
  /**
   * Chunks of a layer of this capacity, in order. A dropless layer gives its loads too: the places of a
   * chunk then have rows only where there are tokens for them.
   */
  split(at: {
    readonly capacity: number;
    readonly topology: Topology;
    readonly loads?: Loads;
    /** Experts, or slots of experts, of a rank; default: equal parts for all ranks of those of the loads. */
    readonly localExperts?: number;
  }): readonly Chunk[];
}
