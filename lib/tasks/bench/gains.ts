/** Gains of the best combination over each other one. @module */
import { SchemoeError } from "../../types.ts";
import { bothPasses, type Combination } from "./schedules.ts";

/** A combination with its time. */
export interface Timed {
  readonly combination: Combination;
  readonly seconds: number;
}

/** The best of some combinations, beside its baselines. */
export interface Gain {
  readonly best: Timed;
  /** Everything one after another: sequential, linear, no codec, one chunk. */
  readonly baseline: Timed;
  readonly overBaseline: number;
  /** tutel's schedule with the same codec and all-to-all, at the chunk count that serves it best. */
  readonly tutel: Timed;
  readonly overTutel: number;
}

/** The name of a combination, such as `optSche + pipe + none, 4 chunks`. */
export function combinationText({ scheduler, allToAll, codec, chunks }: Combination): string {
  return `${scheduler} + ${allToAll} + ${codec}, ${chunks} ${chunks === 1 ? "chunk" : "chunks"}`;
}

/** What is the first to be compared with. */
export const isBaseline = ({ scheduler, allToAll, codec, chunks }: Combination): boolean =>
  scheduler === "sequential" && allToAll === "linear" && codec === "none" && chunks === 1;

/**
 * The fastest of the combinations that `among` lets through, and what it gains.
 * @throws {SchemoeError} when the baseline or tutel's schedule was not measured.
 */
export function gainOf(
  measured: readonly (Combination & { readonly seconds: number })[],
  among: (combination: Combination) => boolean = () => true,
): Gain {
  const all = bothPasses(measured);
  const fastest = (choose: (combination: Combination) => boolean, what: string): Timed => {
    const chosen = all.filter(({ combination }) => choose(combination));
    if (chosen.length === 0) {
      throw new SchemoeError(`Cannot state the gain: ${what} was not measured`);
    }
    return chosen.reduce((a, b) => b.seconds < a.seconds ? b : a);
  };
  const best = fastest(among, "what it is asked of");
  const baseline = fastest(isBaseline, "sequential + linear + none, 1 chunk");
  const { allToAll, codec } = best.combination;
  const tutel = fastest(
    (one) => one.scheduler === "tutel" && one.allToAll === allToAll && one.codec === codec,
    `tutel + ${allToAll} + ${codec}`,
  );
  return {
    best,
    baseline,
    tutel,
    overBaseline: baseline.seconds / best.seconds,
    overTutel: tutel.seconds / best.seconds,
  };
}
