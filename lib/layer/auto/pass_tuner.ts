/** Trials of candidates, and the choice they lead to. @module */
import { median } from "../../profile/mod.ts";
import type { Candidate } from "./grid.ts";
import type { Predicted } from "./predict.ts";
import { type Raced, rounds } from "./rounds.ts";

/** When a choice is made, and when it is made anew. */
export interface TuningLimits {
  /** Runs of a candidate that may become the choice. */
  readonly repeats: number;
  /** Runs of all of them. */
  readonly trials: number;
  /** Part by which the median of the last runs may leave what was measured. */
  readonly drift: number;
  /** So many last runs. */
  readonly recent: number;
}

/** So many candidates can run once more, however many have their first run. */
const AGAIN = 2;

/** What comes next, and why. */
export interface Next extends Predicted {
  readonly why: "trial" | "chosen";
  /** Number of the trial from 1 on. */
  readonly trial: number;
}

/** A candidate that ran, and what it took. */
export interface Tried extends Predicted {
  /** Median of its trials. */
  readonly measured: number;
}

/** Trials of one pass, in rounds, as far as its trials go. */
export class PassTuner {
  readonly #limits: TuningLimits;
  readonly #rounds: Generator<Predicted, Raced, number>;
  readonly #recent: number[] = [];
  readonly #times = new Map<Predicted, number[]>();
  readonly #first = new Map<Predicted, number>();
  #turn: IteratorResult<Predicted, Raced>;
  #count = 0;
  /** What the choice is expected to take, and the range of its trials. */
  #expected = NaN;
  #range: readonly [least: number, most: number] = [NaN, NaN];
  #settled = false;

  /** @param candidates what to try next, by what those before it took (`tried`). */
  constructor(
    candidates: (tried: ReadonlyMap<Predicted, number>) => Iterable<Predicted>,
    limits: TuningLimits,
  ) {
    this.#limits = limits;
    const { repeats, trials } = limits;
    this.#rounds = rounds(candidates(this.#first), {
      repeats,
      left: () => trials - this.#count,
      reserve: (count) => Math.min(repeats - 1, 1) * Math.min(AGAIN, count),
    });
    this.#turn = this.#rounds.next();
  }

  get chosen(): Candidate | undefined {
    return this.#turn.done ? this.#best(this.#turn.value).choices : undefined;
  }

  /** Seconds that the choice is expected to take; NaN before there is one. */
  get expected(): number {
    return this.#expected;
  }

  /** Median of the last runs of the choice. */
  get now(): number {
    return median(this.#recent);
  }

  /** Candidates that ran, in the order of their first trials. */
  get tried(): readonly Tried[] {
    return [...this.#times].map(([one, seconds]) => ({ ...one, measured: median(seconds) }));
  }

  get next(): Next {
    const trial = this.#count + 1;
    if (!this.#turn.done) return { ...this.#turn.value, why: "trial", trial };
    return { ...this.#best(this.#turn.value), why: "chosen", trial };
  }

  #best({ best }: Raced): Predicted {
    return [...this.#times.keys()][best];
  }

  /**
   * Takes what the run of `next` took.
   * @returns `chosen` when it was the last trial, `drift` when times are not what they were, else nothing.
   */
  tell(seconds: number): "chosen" | "drift" | undefined {
    if (this.#turn.done) return this.#watch(seconds);
    this.#count++;
    const one = this.#turn.value;
    if (!this.#first.has(one)) this.#first.set(one, seconds);
    this.#times.set(one, [...this.#times.get(one) ?? [], seconds]);
    this.#turn = this.#rounds.next(seconds);
    if (!this.#turn.done) return undefined;
    const { measured, best } = this.#turn.value;
    this.#expected = median(measured[best]);
    this.#range = [Math.min(...measured[best]), Math.max(...measured[best])];
    return "chosen";
  }

  #watch(seconds: number): "drift" | undefined {
    const { drift, recent } = this.#limits;
    this.#recent.push(seconds);
    if (this.#recent.length > recent) this.#recent.shift();
    if (this.#recent.length < recent) return undefined;
    const { now } = this;
    // first runs of a Program may be slow: what came of few trials is known better now
    if (!this.#settled) this.#expected = Math.min(this.#expected, now);
    this.#settled = true;
    const [least, most] = this.#range;
    const ratio = now / this.#expected;
    // what its trials took too is no news
    const slower = ratio > 1 + drift && now > most;
    const faster = ratio < 1 / (1 + drift) && now < least;
    return slower || faster ? "drift" : undefined;
  }
}
