/** What tuning has tried and chosen. @module */
import type { Candidate } from "./grid.ts";

/** What is tuned: a pass of a layer or a stack, or a training step, whose parts have one choice. */
export type TunedPass = "forward" | "backward" | "step";

/** One line of what was done. */
export interface TuningEntry {
  /** Number of the pass that it came with, of its direction, from 1 on. */
  readonly step: number;
  /** Which pass it is about. */
  readonly pass: TunedPass;
  /**
   * What happened: candidates were ranked by simulation (`predicted`), one of them ran (`trial`), the fastest was
   * kept (`chosen`), its time moved away from what was measured (`drift`), or the gate's places an expert became
   * known or others (`routing`).
   */
  readonly event: "predicted" | "trial" | "chosen" | "drift" | "routing";
  /** In words. */
  readonly text: string;
  /** Of `trial`, `chosen` and `drift`: the candidate. */
  readonly choices?: Candidate;
  /** Of a trial or a drift: makespan of the run; of what was chosen: makespan that is expected of it. */
  readonly seconds?: number;
  /** Of a trial: what was predicted. */
  readonly predicted?: number;
}

/** What was tried and chosen. */
export interface Tuning extends Readonly<Partial<Record<TunedPass, Candidate>>> {
  /** What was done so far, in order. */
  readonly log: readonly TuningEntry[];
}
