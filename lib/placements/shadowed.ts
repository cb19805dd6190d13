/** Popular experts on all ranks. @module */
import type { Loads } from "../types.ts";
import { identityPlacement } from "./identity.ts";
import { expertLoads } from "./loads.ts";
import type { Placement } from "./types.ts";

/**
 * FasterMoE's shadowing (PPoPP'22, section 4.1): the most popular experts get a copy on every rank, as long as
 * sending such an expert to all ranks, and its gradient back, takes fewer bytes than its tokens on the busiest
 * rank. On top of equal runs.
 *
 * @param bytes of an expert's weights, and of a token on one way.
 */
export function shadowed(
  loads: Loads,
  bytes: { readonly expert: number; readonly token: number },
): Placement {
  const base = identityPlacement(loads.experts, loads.ranks);
  const each = loads.experts / loads.ranks;
  const load = expertLoads(loads);
  const hot = Array.from(load.keys()).filter((expert) => {
    const own = loads.table[Math.floor(expert / each) * loads.experts + expert];
    // forward and backward, out and back
    return 4 * (load[expert] - own) * bytes.token > 2 * bytes.expert;
  });
  const slots = base.slots.map((own) => [...new Set([...own, ...hot])].toSorted((a, b) => a - b));
  return { name: "shadowed", experts: loads.experts, slots };
}
