/** What is known of one kind of pass. @module */
import type { MachineProfile } from "../../profile/mod.ts";
import type { Candidate } from "./grid.ts";
import type { PassTuner } from "./pass_tuner.ts";
import type { Ranking } from "./predict.ts";

/** Runs of which the median tells whether times have drifted: at first, and after many times that they did. */
const RECENT = 5;
const MOST_RECENT = 160;

/** State of one kind of pass. */
export interface PassState {
  tuner?: PassTuner;
  /** What the user fixed himself, and what tuning goes by. */
  fixed: string;
  profile?: MachineProfile;
  /** Places of an expert, and what the routing was that it was tuned for. */
  capacity: number;
  routed: number;
  readonly recent: number[];
  step: number;
  /** What was ranked, for which choices of the forward pass. */
  ranking?: { readonly forward: string; readonly of: Ranking };
  /** How many runs tell of a drift, and what was chosen before it. */
  patience: number;
  before?: Candidate;
}

export const newState = (): PassState => ({
  fixed: "",
  capacity: NaN,
  routed: NaN,
  recent: [],
  step: 0,
  patience: RECENT,
});

/** Forgets what was tried and ranked: it was for something else. */
export function forget(state: PassState): void {
  state.tuner = state.ranking = state.before = undefined;
  state.patience = RECENT;
}

/** What a drift leaves: the choice, to be tried first, and more patience until the next one. */
export function drifted(state: PassState): void {
  state.before = state.tuner?.chosen;
  state.tuner = undefined;
  state.patience = Math.min(MOST_RECENT, 2 * state.patience);
}
