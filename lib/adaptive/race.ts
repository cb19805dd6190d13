/** Measuring candidates until one is known to be best. @module */
import { median } from "../profile/mod.ts";

/** What a race may take. */
export interface RaceLimits {
  /** Rounds at most. */
  readonly repeats: number;
  /** About how many more runs there is time for. */
  readonly left: () => number;
}

/** What was measured. */
export interface Raced {
  /** Seconds of the runs of each candidate in whole rounds, in their order; none of one that never ran. */
  readonly measured: readonly (readonly number[])[];
  /** Index of the candidate of the least median, of those that ran in every round. */
  readonly best: number;
}

/** Rounds of a candidate that what is left of the budget should pay for before the next one is let in, or kept. */
const LEAST_ROUNDS = 2;
const ENOUGH_ROUNDS = 5;
/** One that was slower in each of so many rounds is not taken for unlucky any more. */
const ALWAYS = 4;
/** Rounds after which candidates that never differed by more than this part are alike. */
const SETTLED = 3;
const ALIKE = 0.01;

/**
 * Runs candidates in turn, round by round: what slows a machine down meanwhile does so for all of a round, so that
 * they are compared within it. One that was slower than the best one in every round runs no more, once its fastest
 * run is slower than the slowest of the best, or it had rounds enough; and no more go on than what is left of the budget
 * pays for. It ends where one is left, or where those that are left are alike.
 *
 * The best is found among those that are left, over the rounds they all ran in: one that dropped out early may have
 * better times of a machine that was faster then.
 * @param run seconds of a run.
 */
export async function race<T>(
  candidates: readonly T[],
  run: (candidate: T) => Promise<number>,
  { repeats, left }: RaceLimits,
): Promise<Raced> {
  const measured = candidates.map((): number[] => []);
  let alive: number[] = [];
  for (const [i, candidate] of candidates.entries()) {
    // those let in run again: more of them are no use than can be told apart
    if (i > 0 && left() < 1 + Math.min(repeats - 1, LEAST_ROUNDS - 1) * (i + 1)) break;
    measured[i].push(await run(candidate));
    alive.push(i);
  }
  let rounds = 1;
  while (rounds < repeats) {
    const kept = Math.floor(left() / Math.max(1, Math.min(repeats, ENOUGH_ROUNDS) - rounds));
    alive = fastest(alive, (i) => median(measured[i]), Math.max(1, kept));
    if (alive.length === 1 || rounds >= SETTLED && alike(alive, measured)) break;
    // forth and back, so that none always follows the same one
    const turn = rounds % 2 === 0 ? alive : alive.toReversed();
    const ran = await runWhile(turn, (i) => run(candidates[i]), left);
    if (ran.length < turn.length) break;
    for (const [place, i] of turn.entries()) measured[i].push(ran[place]);
    alive = contenders(alive, measured);
    rounds++;
  }
  return { measured, best: least(alive, (i) => median(measured[i])) };
}

/** Seconds of those that there was time for. */
async function runWhile(
  turn: readonly number[],
  run: (i: number) => Promise<number>,
  left: () => number,
): Promise<number[]> {
  const seconds: number[] = [];
  for (const i of turn) {
    if (left() < 1) break;
    seconds.push(await run(i));
  }
  return seconds;
}

/** Those that may be the best, all having run in the same rounds. */
function contenders(alive: readonly number[], measured: readonly (readonly number[])[]): number[] {
  const first = measured[least(alive, (i) => median(measured[i]))];
  const slowest = Math.max(...first);
  return alive.filter((i) => {
    const own = measured[i];
    const slower = own.every((seconds, round) => seconds > first[round]);
    return !(slower && (Math.min(...own) > slowest || own.length >= ALWAYS));
  });
}

/** Whether no two of them differed by more than a part in any round. */
function alike(alive: readonly number[], measured: readonly (readonly number[])[]): boolean {
  const rounds = measured[alive[0]].keys();
  return [...rounds].every((round) => {
    const seconds = alive.map((i) => measured[i][round]);
    return Math.max(...seconds) <= (1 + ALIKE) * Math.min(...seconds);
  });
}

const least = (alive: readonly number[], of: (i: number) => number): number =>
  alive.reduce((a, b) => of(b) < of(a) ? b : a);

/** The first so many by their times, in the order they had. */
function fastest(alive: readonly number[], of: (i: number) => number, count: number): number[] {
  const chosen = new Set(alive.toSorted((a, b) => of(a) - of(b)).slice(0, count));
  return alive.filter((i) => chosen.has(i));
}
