/** How much Theorem 1's order loses where its assumption does not hold: a search for the worst case. */
import { type ChainTimes, theorem1Loss } from "../../studies/theorem1_loss.ts";

const STAGES = ["C1", "A1", "D1", "E", "C2", "A2", "D2"] as const;

/** Times of the seven stages, and how often longer than the optimum Theorem 1's order is with them. */
export interface Loss {
  readonly times: ChainTimes;
  readonly ratio: number;
}

/**
 * The largest loss found: random times, then small changes of the worst ones as long as it grows.
 * @param options.tie makes times hold what is assumed of them, such as A2 = 2 A1.
 */
export function largestLoss(
  random: () => number,
  options: {
    chunks: number;
    tries: number;
    steps: number;
    tie?: (times: Loss["times"]) => Loss["times"];
  },
): Loss {
  const { chunks, tries, steps, tie = (times) => times } = options;
  const evaluate = (times: Loss["times"]): Loss => ({
    times,
    ratio: theorem1Loss(times, chunks).ratio,
  });
  let worst = evaluate(tie(timesFrom(random)));
  for (let i = 1; i < tries; i++) worst = larger(worst, evaluate(tie(timesFrom(random))));
  for (let i = 0; i < steps; i++) {
    const change = 0.5 * (1 - i / steps);
    const next = timesFrom((stage) =>
      clamp(worst.times[stage] * (1 + change * (2 * random() - 1)))
    );
    worst = larger(worst, evaluate(tie(next)));
  }
  return worst;
}

const timesFrom = (make: (stage: keyof ChainTimes) => number): Loss["times"] =>
  Object.fromEntries(STAGES.map((stage) => [stage, make(stage)])) as Loss["times"];

const larger = (a: Loss, b: Loss): Loss => b.ratio > a.ratio ? b : a;

const clamp = (value: number): number => Math.min(10, Math.max(1e-3, value));
