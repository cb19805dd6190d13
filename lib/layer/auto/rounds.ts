/** Trials of candidates in rounds, until one is known to be best. @module */
import { median } from "../../profile/mod.ts";

/** What trials may take. */
export interface RoundLimits {
  /** Rounds at most. */
  readonly repeats: number;
  /** About how many more runs there is time for. */
  readonly left: () => number;
  /**
   * Runs that must be left once a candidate has had its first one, where so many have; default one more of each, since
   * more of them are no use than can be told apart.
   */
  readonly reserve?: (candidates: number) => number;
}

/** What was measured. */
export interface Raced {
  /** Seconds of the runs of each candidate that was let in, in whole rounds, in their order. */
  readonly measured: readonly (readonly number[])[];
  /** Index of the candidate of the least median, of those that ran in every round. */
  readonly best: number;
}

/** Rounds of a candidate that what is left of the budget should pay for before it is kept. */
const ENOUGH_ROUNDS = 5;
/** So many are compared in another round if it can be paid for at all: the first one may have been lucky. */
const LEAST = 2;
/** One that was slower in each of so many rounds is not taken for unlucky any more. */
const ALWAYS = 4;
/** Rounds after which candidates that never differed by more than this part are alike. */
const SETTLED = 3;
const ALIKE = 0.01;

/**
 * Gives candidates in turn, of which there must be one, round by round, and takes the seconds of each: what slows a
 * machine down meanwhile does so for all of a round, so that they are compared within it. One that was slower than the
 * best one in every round runs no more, once its fastest run is slower than the slowest of the best, or it had rounds
 * enough; and no more go on than what is left of the budget pays for. It ends where one is left, or where those that are
 * left are alike.
 *
 * The best is found among those that are left, over the rounds they all ran in: one that dropped out early may have
 * better times of a machine that was faster then.
 */
export function* rounds<T>(
  candidates: Iterable<T>,
  { repeats, left, reserve = (count) => Math.min(repeats - 1, 1) * count }: RoundLimits,
): Generator<T, Raced, number> {
  const measured: number[][] = [];
  const ones: T[] = [];
  const source = candidates[Symbol.iterator]();
  while (ones.length === 0 || left() >= 1 + reserve(ones.length + 1)) {
    // one may depend on what those before it took
    const next = source.next();
    if (next.done) break;
    ones.push(next.value);
    measured.push([yield next.value]);
  }
  let alive = [...ones.keys()];
  let done = 1;
  while (done < repeats) {
    const kept = Math.floor(left() / Math.max(1, Math.min(repeats, ENOUGH_ROUNDS) - done));
    const least = left() < LEAST ? 1 : LEAST;
    alive = fastest(alive, (i) => median(measured[i]), Math.max(least, kept));
    if (alive.length === 1 || done >= SETTLED && alike(alive, measured)) break;
    // forth and back, so that none always follows the same one
    const turn = done % 2 === 0 ? alive : alive.toReversed();
    const ran: number[] = [];
    for (const i of turn) {
      if (left() < 1) break;
      ran.push(yield ones[i]);
    }
    if (ran.length < turn.length) break;
    for (const [place, i] of turn.entries()) measured[i].push(ran[place]);
    alive = contenders(alive, measured);
    done++;
  }
  return { measured, best: leastOf(alive, (i) => median(measured[i])) };
}

/** Those that may be the best, all having run in the same rounds. */
function contenders(alive: readonly number[], measured: readonly (readonly number[])[]): number[] {
  const first = measured[leastOf(alive, (i) => median(measured[i]))];
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

const leastOf = (alive: readonly number[], of: (i: number) => number): number =>
  alive.reduce((a, b) => of(b) < of(a) ? b : a);

/** The first so many by their times, in the order they had. */
function fastest(alive: readonly number[], of: (i: number) => number, count: number): number[] {
  const chosen = new Set(alive.toSorted((a, b) => of(a) - of(b)).slice(0, count));
  return alive.filter((i) => chosen.has(i));
}
