/** Options of `scheduler: "auto"`. @module */
import type { MachineProfile } from "../../profile/mod.ts";
import { SchemoeError } from "../../types.ts";
import { quoted } from "../../words.ts";
import { checkFields } from "../../arguments/mod.ts";
import { checkGrid } from "./check_grid.ts";
import type { Grid } from "./grid.ts";

/** What `scheduler: "auto"` goes by; see {@linkcode MoeLayer.auto}. */
export interface AutoOptions extends Grid {
  /** What predicts, as `calibrate` makes it; default the cost model of the engine's topology. */
  readonly profile?: MachineProfile;
  /**
   * Candidates that are measured for their prediction, the best ones; default 6. What those before took corrects the
   * predictions of the others: errors are alike where all-to-all, chunks, scheduler or codec are.
   */
  readonly candidates?: number;
  /** Runs of a candidate that may become the choice; default 3. */
  readonly repeats?: number;
  /**
   * Runs of all candidates, with those that are measured whatever was predicted of them: one task after another over
   * `linear`, and what Tutel's own search tries; default 24, which pay for all of them. Of fewer, predictions and these
   * are tried in turn, each the best by prediction first; 1 takes the best prediction without a trial of others.
   */
  readonly trials?: number;
  /**
   * Part by which the median of five runs may leave what was measured, default 0.2; then all is tried again, the choice
   * first. What its trials took too is no drift; and each time twice as many runs count, up to 160, so that a machine
   * whose times always vary is not always trying.
   */
  readonly drift?: number;
}

const OPTIONS = [
  "profile",
  "candidates",
  "repeats",
  "trials",
  "drift",
  "schedulers",
  "allToAlls",
  "chunks",
  "compressors",
];

export const DEFAULTS = { candidates: 6, repeats: 3, trials: 24, drift: 0.2 };

/** @throws {SchemoeError} naming an unknown option or value, or a number that is none. */
export function checkAutoOptions(auto: AutoOptions): void {
  checkFields(auto, OPTIONS, { what: "auto", fail });
  checkGrid(auto, fail);
  const { candidates = 1, repeats = 1, trials = 1, drift = 1 } = auto;
  for (const [name, value] of Object.entries({ candidates, repeats, trials })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    fail(`${name} is ${quoted(value)}, not an integer from 1 on`);
  }
  if (!(typeof drift === "number" && drift > 0)) fail(`drift is ${quoted(drift)}, not above 0`);
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot tune the pass: ${problem}`);
}
