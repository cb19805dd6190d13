/** All-to-alls in synchronous steps on small networks, by trying all ways of every slice. @module */
import { aCount, expect, listOf, someLanes } from "../../arguments/mod.ts";
import type { Lanes, StepMove, StepSchedule } from "./sccl.ts";

const EXCHANGE_IN_STEPS_ROUNDS = listOf(aCount, "numbers of rounds");

/** Four ranks in a ring. */
export const RING4: Lanes = [
  [0, 1, 0, 1],
  [1, 0, 1, 0],
  [0, 1, 0, 1],
  [1, 0, 1, 0],
];
/** Three ranks around a fourth one, rank 0. */
export const STAR4: Lanes = [
  [0, 1, 1, 1],
  [1, 0, 0, 0],
  [1, 0, 0, 0],
  [1, 0, 0, 0],
];

/** A move of a slice, and the step that it is made in. */
interface Hop {
  readonly step: number;
  readonly from: number;
  readonly to: number;
}

/**
 * An all-to-all of one slice for each pair of ranks in steps of so many rounds: chunk `source * ranks + destination`
 * gets to its destination, by other ranks where it has no link to it. Every combination of ways is tried, so that
 * where none is found there is none; that takes too long for more than a few ranks and steps.
 *
 * SCCL (msccl-tools 030a750, tests/test_cli.py) finds one of 2 steps on a ring of four, and of 2 steps and 4 rounds
 * on a star of four; fewer rounds are not enough for the star, and two are for the ring.
 *
 * ```ts
 * import { checkExchange, exchangeInSteps, RING4, STAR4 } from "@schemoe/lab/studies";
 * const ring = exchangeInSteps(RING4, [1, 1])!;
 * console.assert(checkExchange(RING4, ring) === undefined);
 * console.assert(exchangeInSteps(STAR4, [2, 2]) && !exchangeInSteps(STAR4, [2, 1]));
 * ```
 */
export function exchangeInSteps(lanes: Lanes, rounds: readonly number[]): StepSchedule | undefined {
  expect("exchangeInSteps", "lanes", lanes, someLanes);
  expect("exchangeInSteps", "rounds", rounds, EXCHANGE_IN_STEPS_ROUNDS);
  const ranks = lanes.length;
  const pairs = Array.from({ length: ranks * ranks }, (_, chunk) => chunk)
    .filter((chunk) => Math.floor(chunk / ranks) !== chunk % ranks);
  const choices = pairs.map((chunk) => ({
    chunk,
    ways: waysOf(lanes, {
      from: Math.floor(chunk / ranks),
      to: chunk % ranks,
      steps: rounds.length,
    }),
  })).sort((a, b) => a.ways.length - b.ways.length);
  const free = rounds.map((count) => lanes.map((row) => row.map((width) => width * count)));
  const chosen: (readonly Hop[])[] = [];
  const place = (index: number): boolean => {
    if (index === choices.length) return true;
    for (const way of choices[index].ways) {
      if (way.some(({ step, from, to }) => free[step][from][to] === 0)) continue;
      for (const { step, from, to } of way) free[step][from][to]--;
      chosen[index] = way;
      if (place(index + 1)) return true;
      for (const { step, from, to } of way) free[step][from][to]++;
    }
    return false;
  };
  if (!place(0)) return undefined;
  const steps = rounds.map((_, step) =>
    choices.flatMap(({ chunk }, i): StepMove[] =>
      chosen[i].filter((hop) => hop.step === step).map(({ from, to }) => ({ chunk, from, to }))
    )
  );
  return { chunks: ranks, rounds, steps };
}

/** All ways from rank to rank that pass no rank twice, the shortest first. */
function waysOf(
  lanes: Lanes,
  { from, to, steps }: { readonly from: number; readonly to: number; readonly steps: number },
): Hop[][] {
  const found: Hop[][] = [];
  const go = (at: number, first: number, way: readonly Hop[]) => {
    if (at === to) return void found.push([...way]);
    for (let step = first; step < steps; step++) {
      for (const [next, width] of lanes[at].entries()) {
        const seen = next === from || way.some((hop) => hop.to === next);
        if (width > 0 && !seen) go(next, step + 1, [...way, { step, from: at, to: next }]);
      }
    }
  };
  go(from, 0, []);
  return found.sort((a, b) => a.length - b.length);
}
