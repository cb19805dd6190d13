/** Measuring candidates until one is known to be best. @module */
import { type Raced, type RoundLimits, rounds } from "../layer/auto/rounds.ts";

/**
 * Runs candidates in rounds, as {@linkcode rounds} gives them.
 * @param run seconds of a run.
 */
export async function race<T>(
  candidates: Iterable<T>,
  run: (candidate: T) => Promise<number>,
  limits: RoundLimits,
): Promise<Raced> {
  const turns = rounds(candidates, limits);
  let turn = turns.next();
  while (!turn.done) turn = turns.next(await run(turn.value));
  return turn.value;
}
