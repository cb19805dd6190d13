/** A row of numbers per step of a training run. @module */

/** One step that was done. */
export interface StepRow {
  /** From 0. */
  readonly step: number;
  /** Of the step's tokens, before its update: cross entropy and losses on the routing with their weights. */
  readonly loss: number;
  /** Mean cross entropy in nats a token. */
  readonly crossEntropy: number;
  /** Root of the sum of squares of all gradients, before clipping. */
  readonly gradNorm: number;
  /** Learning rate. */
  readonly rate: number;
  /** Choices of each expert, of all ranks together, for each Mixture-of-Experts layer. */
  readonly loads: readonly (readonly number[])[];
}

/** What takes time, and therefore differs from run to run; of the steps since the row before. */
export interface SpeedRow {
  /** Steps that were done. */
  readonly step: number;
  /** Of all ranks together, since the report before. */
  readonly tokensPerSecond: number;
  /** Share of communication during which its rank computed, in the last of the steps; absent without any. */
  readonly hidden?: number;
}

/** Cross entropy on validation tokens after `step` steps, in nats a token. */
export interface ValidationRow {
  /** Steps that were done. */
  readonly step: number;
  /** Cross entropy, nats a token. */
  readonly loss: number;
}
