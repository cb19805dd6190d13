/** Rank correlation of predictions and measurements. @module */
import { aNumber, expect, listOf, record, someOf } from "../arguments/mod.ts";
import { median } from "../profile/mod.ts";

const RANKED = listOf(
  record("a prediction and its measurements { predicted, measured }", {
    predicted: aNumber,
    measured: someOf(aNumber, "seconds"),
  }),
  "predictions { predicted, measured }",
);
const KENDALL_TAU_GROUPS = listOf(
  RANKED,
  "groups of predictions [[{ predicted, measured }, ...], ...]",
);

/** One choice: its predicted time, and the measured one of each run, in seconds. */
export interface Ranked {
  /** Seconds. */
  readonly predicted: number;
  /** Seconds of each run. */
  readonly measured: readonly number[];
}

/** Agreement of two rankings. */
export interface Agreement {
  /** Kendall's tau: pairs in the same order less those in the other one, over all that are told apart. */
  readonly tau: number;
  /** Pairs that can be told apart, and pairs left out because their measurements overlap. */
  readonly pairs: number;
  /** Pairs that their own scatter does not tell apart. */
  readonly leftOut: number;
}

/** Predictions that differ by no more than that are the same. */
const EQUAL = 1e-9;

/**
 * Kendall's tau of predicted and measured times, over pairs inside each group. A pair is left out where the ranges
 * of its measurements overlap; one whose predictions are equal agrees by half.
 *
 * ```ts
 * import { kendallTau } from "@schemoe/lab/adaptive";
 * const group = [{ predicted: 1, measured: [2] }, { predicted: 2, measured: [3] }, { predicted: 3, measured: [2.5] }];
 * console.assert(Math.abs(kendallTau([group]).tau - 1 / 3) < 1e-12);
 * ```
 */
export function kendallTau(groups: readonly (readonly Ranked[])[]): Agreement {
  expect("kendallTau", "groups", groups, KENDALL_TAU_GROUPS);
  let [sum, pairs, leftOut] = [0, 0, 0];
  for (const group of groups) {
    for (const [i, a] of group.entries()) {
      for (const b of group.slice(i + 1)) {
        const before = Math.max(...a.measured) < Math.min(...b.measured);
        const after = Math.max(...b.measured) < Math.min(...a.measured);
        if (!before && !after) {
          leftOut++;
          continue;
        }
        pairs++;
        const difference = b.predicted - a.predicted;
        if (Math.abs(difference) <= EQUAL * Math.max(a.predicted, b.predicted)) continue;
        sum += (difference > 0) === before ? 1 : -1;
      }
    }
  }
  return { tau: pairs > 0 ? sum / pairs : 1, pairs, leftOut };
}

/**
 * How much longer the choice of least predicted time took than the best one, as a part of the latter: medians, less
 * what both scatter (from the median to the nearest end of the other's range).
 */
export function regretOf(group: readonly Ranked[]): number {
  expect("regretOf", "group", group, RANKED);
  if (group.length === 0) return 0;
  const chosen = group.reduce((best, one) => one.predicted < best.predicted ? one : best);
  const best = group.reduce((best, one) =>
    median(one.measured) < median(best.measured) ? one : best
  );
  const beyond = Math.min(...chosen.measured) - Math.max(...best.measured);
  return Math.max(0, beyond) / median(best.measured);
}
