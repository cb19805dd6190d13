/** Trials of candidates, and the choice they lead to. @module */
import { median } from "../../profile/mod.ts";
import type { Candidate } from "./grid.ts";
import type { Predicted } from "./predict.ts";

/** One candidate that is tried. */
export interface Trial extends Predicted {
  /** What each run of it took. */
  readonly measured: number[];
}

/** When a choice is made, and when it is made anew. */
export interface TuningLimits {
  /** Runs of a candidate that may become the choice. */
  readonly repeats: number;
  /** Part by which the median of the last runs may leave what was measured. */
  readonly drift: number;
}

/** Runs of which the median tells whether times have drifted. */
const RECENT = 5;

/** What comes next, and why. */
export interface Next {
  readonly choices: Candidate;
  readonly why: "trial" | "chosen";
  /** Number of the trial from 1 on, and how many there may be. */
  readonly trial: number;
  readonly most: number;
}

/** Trials of one pass: each candidate once, then once more as long as it may be the best. */
export class PassTuner {
  readonly trials: readonly Trial[];
  readonly #limits: TuningLimits;
  readonly #recent: number[] = [];
  #alive: Trial[];
  #chosen?: { readonly trial: Trial; readonly expected: number };
  #count = 0;

  constructor(candidates: readonly Predicted[], limits: TuningLimits) {
    this.trials = candidates.map((candidate) => ({ ...candidate, measured: [] }));
    this.#alive = [...this.trials];
    this.#limits = limits;
  }

  get chosen(): Candidate | undefined {
    return this.#chosen?.trial.choices;
  }

  /** Seconds that the choice was measured to take. */
  get expected(): number | undefined {
    return this.#chosen?.expected;
  }

  get next(): Next {
    const most = this.trials.length * this.#limits.repeats;
    if (this.#chosen) {
      return { choices: this.#chosen.trial.choices, why: "chosen", trial: this.#count, most };
    }
    return { choices: this.#rarest.choices, why: "trial", trial: this.#count + 1, most };
  }

  /**
   * Takes what the run of `next` took.
   * @returns `chosen` when it was the last trial, `drift` when times are not what they were, else nothing.
   */
  tell(seconds: number): "chosen" | "drift" | undefined {
    if (this.#chosen) return this.#watch(seconds, this.#chosen.expected);
    this.#count++;
    const { repeats } = this.#limits;
    const trial = this.#rarest;
    trial.measured.push(seconds);
    const least = Math.min(...this.#alive.map(({ measured }) => measured.length));
    if (least < Math.min(2, repeats)) return undefined;
    if (least > 1) this.#drop();
    if (least < repeats && this.#alive.length > 1) return undefined;
    const best = this.#best;
    this.#chosen = { trial: best, expected: median(best.measured) };
    return "chosen";
  }

  get #best(): Trial {
    return this.#alive.reduce((best, one) =>
      median(one.measured) < median(best.measured) ? one : best
    );
  }

  /** The candidate with the fewest runs; of several the one that is predicted to be fastest. */
  get #rarest(): Trial {
    return this.#alive.reduce((rare, one) =>
      one.measured.length < rare.measured.length ? one : rare
    );
  }

  /** Candidates that were always slower than the best one ever was are tried no more. */
  #drop(): void {
    const slowest = Math.max(...this.#best.measured);
    this.#alive = this.#alive.filter(({ measured }) => Math.min(...measured) <= slowest);
  }

  #watch(seconds: number, expected: number): "drift" | undefined {
    this.#recent.push(seconds);
    if (this.#recent.length > RECENT) this.#recent.shift();
    if (this.#recent.length < RECENT) return undefined;
    const ratio = median(this.#recent) / expected;
    const { drift } = this.#limits;
    return ratio > 1 + drift || ratio < 1 / (1 + drift) ? "drift" : undefined;
  }
}
