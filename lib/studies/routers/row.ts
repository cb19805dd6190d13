/** Rows of a study of routers. @module */

/** One router at one skew. */
export interface RouterRow {
  readonly router: string;
  readonly skew: number;
  /** Choices of each row of the gate, over all ranks. */
  readonly loads: readonly number[];
  /** Largest load over the mean. */
  readonly imbalance: number;
  /** Squared variation of the sums of weights of the experts, mean over ranks; NaN for a router without scores. */
  readonly importance: number;
}
