/** A recorded or made-up routing. @module */

/** Which experts the tokens of each rank go to: data, whatever gate it comes from. */
export interface RouterTrace {
  readonly name: string;
  readonly ranks: number;
  readonly experts: number;
  readonly topK: number;
  /** Tokens of a rank. */
  tokens(rank: number): number;
  /** Experts of each token of a rank, int32 [tokens, topK]; all different for a token, -1: none. */
  choices(rank: number): Int32Array;
}

/** Sizes of a made-up routing. */
export interface TraceSizes {
  readonly ranks: number;
  /** Tokens of each rank. */
  readonly tokens: number;
  readonly experts: number;
  /** Experts of a token; default 1. */
  readonly topK?: number;
  /** Default 1. Another seed gives another routing of the same kind. */
  readonly seed?: number;
}
