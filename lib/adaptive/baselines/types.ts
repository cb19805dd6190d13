/** What a baseline has found. @module */
import type { Candidate, PassRunner } from "../../layer/mod.ts";

/** Choices of one pass. */
export type Choices = Omit<Candidate, "compressor">;

/** A layer that runs steps. */
export type StepLayer = PassRunner;

/** One training step that was spent on searching. */
export interface TrialStep {
  /** Choices of its forward pass. */
  readonly forward: Choices;
  /** Choices of its backward pass. */
  readonly backward: Choices;
  /** Both passes together, as they were measured. */
  readonly seconds: number;
}

/** How another system would run a layer. */
export interface Baseline {
  /** Name of the system. */
  readonly name: string;
  /** Its choice for the forward pass. */
  readonly forward: Choices;
  /** Its choice for the backward pass. */
  readonly backward: Choices;
  /** Training steps that it tried, in order; those of a system that fits a model instead are none. */
  readonly trials: readonly TrialStep[];
}
