/** A recorded or made-up routing. @module */

/** Which experts the tokens of each rank go to: data, whatever gate it comes from. */
export interface RouterTrace {
  /** What tables call it, such as `zipf 0.8`. */
  readonly name: string;
  /** Ranks whose tokens were routed. */
  readonly ranks: number;
  /** Experts among which they chose. */
  readonly experts: number;
  /** Choices of a token. */
  readonly topK: number;
  /** Tokens of a rank. */
  tokens(rank: number): number;
  /** Experts of each token of a rank, int32 [tokens, topK]; all different for a token, -1: none. */
  choices(rank: number): Int32Array;
}

/** Sizes of a made-up routing. */
export interface TraceSizes {
  /** Ranks with tokens. */
  readonly ranks: number;
  /** Tokens of each rank. */
  readonly tokens: number;
  /** Experts to choose from. */
  readonly experts: number;
  /** Experts of a token; default 1. */
  readonly topK?: number;
  /** Default 1. Another seed gives another routing of the same kind. */
  readonly seed?: number;
}
