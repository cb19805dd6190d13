/** Rows of a study of routers. @module */

/** One router at one skew. */
export interface RouterRow {
  /** Key of the gate in `gates`. */
  readonly router: string;
  /** How far all tokens were shifted in one direction, in deviations of their values. */
  readonly skew: number;
  /** Choices of each row of the gate, over all ranks. */
  readonly loads: readonly number[];
  /** Largest load over the mean. */
  readonly imbalance: number;
  /** Squared variation of the sums of weights of the experts, mean over ranks; NaN for a router without scores. */
  readonly importance: number;
}
