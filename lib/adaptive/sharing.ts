/** How ranks share processors, found by simulation. @module */
import type { Program } from "../engine.ts";
import { median } from "../profile/mod.ts";
import { MOST_SLOWDOWN } from "./collect.ts";

/** A Program with the median of what its runs took. */
export interface TimedProgram {
  readonly program: Program;
  readonly seconds: number;
}

/** Halvings of the logarithm: to about a hundredth. */
const HALVINGS = 8;
/** Predictions within this part of what was measured are right. */
const CLOSE = 0.01;

/**
 * How many times longer computation takes where all ranks compute, such that half of the Programs are predicted to take
 * less than they took, and half more. Single tasks do not tell it: where ranks wait for a processor, a task takes what
 * it takes alone, and another one begins later; and all ranks wait for the one that something held up.
 * @param predict seconds of a Program, by how many times longer that is.
 */
export function togetherBySimulation(
  timed: readonly TimedProgram[],
  predict: (program: Program, together: number) => number,
): number {
  const ratio = (together: number) =>
    median(timed.map(({ program, seconds }) => predict(program, together) / seconds));
  if (timed.length === 0 || ratio(1) >= 1 - CLOSE) return 1;
  let [low, high] = [1, MOST_SLOWDOWN];
  for (let i = 0; i < HALVINGS; i++) {
    const middle = Math.sqrt(low * high);
    if (ratio(middle) < 1) low = middle;
    else high = middle;
  }
  return Math.sqrt(low * high);
}
