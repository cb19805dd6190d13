/** What a baseline has found. @module */
import type { Candidate, PassRunner } from "../../layer/mod.ts";

/** Choices of one pass. */
export type Choices = Omit<Candidate, "compressor">;

/** A layer that runs steps. */
export type StepLayer = PassRunner;

/** One training step that was spent on searching. */
export interface TrialStep {
  readonly forward: Choices;
  readonly backward: Choices;
  readonly seconds: number;
}

/** How another system would run a layer. */
export interface Baseline {
  readonly name: string;
  readonly forward: Choices;
  readonly backward: Choices;
  /** Training steps that it tried, in order; those of a system that fits a model instead are none. */
  readonly trials: readonly TrialStep[];
}
