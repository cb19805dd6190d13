/** Loads that placements go by. @module */
import type { Loads } from "../types.ts";

/** Tokens for each expert, of all ranks. */
export function expertLoads({ experts, table }: Loads): Float64Array {
  const load = new Float64Array(experts);
  table.forEach((tokens, i) => load[i % experts] += tokens);
  return load;
}
