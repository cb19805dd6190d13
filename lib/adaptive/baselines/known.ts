/** Candidates that other systems could come to. @module */
import { nameOf } from "../../layer/auto/grid.ts";
import type { Candidate } from "../../layer/mod.ts";
import { TUTEL } from "./tutel.ts";

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
