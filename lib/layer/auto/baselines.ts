/** Candidates that other systems could come to. @module */
import { type Candidate, nameOf } from "./grid.ts";

/** Scheduler, degrees of pipelining, and all-to-alls, that Tutel's own search tries. */
export const TUTEL: {
  readonly scheduler: string;
  readonly degrees: readonly number[];
  readonly allToAlls: readonly string[];
} = { scheduler: "tutel", degrees: [1, 2, 4, 8], allToAlls: ["linear", "hierarchical2d"] };

/**
 * Whether a candidate is what one has without any choice, or of what Tutel's search tries, whatever its codec: a tuned
 * pass is compared with these whatever was predicted of them.
 */
export function isBaseline({ scheduler, allToAll, chunks }: Candidate): boolean {
  const [order, algorithm] = [nameOf(scheduler), nameOf(allToAll)];
  if (order === "sequential") return algorithm === "linear" && chunks === 1;
  return order === TUTEL.scheduler && TUTEL.allToAlls.includes(algorithm) &&
    TUTEL.degrees.includes(Number(chunks));
}
