/** Steps under several choices, one after the other. @module */
import { stepSeconds } from "../../adaptive/mod.ts";
import type { Candidate, MoeLayer } from "../../layer/mod.ts";

/** Choices of both passes. */
export interface StepChoice {
  readonly forward: Candidate;
  readonly backward: Candidate;
}

/** Seconds of each step of each choice, all in turn: what slows the machine down meanwhile does so for all. */
export async function inTurn(
  layer: MoeLayer,
  choices: readonly StepChoice[],
  steps: number,
): Promise<number[][]> {
  const times = choices.map((): number[] => []);
  for (let step = 0; step <= steps; step++) {
    for (const [i, choice] of choices.entries()) {
      const seconds = await stepSeconds(layer, choice);
      if (step > 0) times[i].push(seconds); // the first one warms up
    }
  }
  return times;
}
