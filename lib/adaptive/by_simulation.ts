/** Numbers that single tasks do not tell, found by simulating whole Programs. @module */
import type { Program } from "../engine.ts";
import { median } from "../profile/mod.ts";

/** A Program with the median of what its runs took. */
export interface TimedProgram {
  readonly program: Program;
  readonly seconds: number;
}

/** Halvings of the logarithm: to about a hundredth. */
const HALVINGS = 9;

/**
 * The number for which half of the Programs are predicted to take less than they took, and half more; the nearer end
 * where there is none. Single tasks do not tell how much processors are shared or what transfers need of them: where
 * ranks wait for a processor, a task takes what it takes alone, and another one begins later; and all ranks wait for
 * the one that something held up.
 * @param predict seconds of a Program, which rise with the number.
 */
export function bySimulation(
  timed: readonly TimedProgram[],
  [least, most]: readonly [least: number, most: number],
  predict: (program: Program, value: number) => number,
): number {
  const ratio = (value: number) =>
    median(timed.map(({ program, seconds }) => predict(program, value) / seconds));
  if (ratio(least) >= 1) return least;
  if (ratio(most) <= 1) return most;
  let [low, high] = [least, most];
  for (let i = 0; i < HALVINGS; i++) {
    const middle = Math.sqrt(low * high);
    if (ratio(middle) < 1) low = middle;
    else high = middle;
  }
  return Math.sqrt(low * high);
}
