/** Popular experts on all ranks. @module */
import { expect, someLoads } from "../arguments/mod.ts";
import { type Loads, SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";
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
  expect("shadowed", "loads", loads, someLoads);
  const { expert, token }: typeof bytes = Object(bytes);
  for (const [name, value] of Object.entries({ expert, token })) {
    if (!(typeof value === "number" && value >= 0 && value < Infinity)) {
      throw new SchemoeError(
        `Cannot make the placement: ${name} must be a number of bytes, got ${quoted(value)}`,
      );
    }
  }
  const base = identityPlacement(loads.experts, loads.ranks);
  const each = loads.experts / loads.ranks;
  const load = expertLoads(loads);
  const hot = Array.from(load.keys()).filter((at) => {
    const own = loads.table[Math.floor(at / each) * loads.experts + at];
    // forward and backward, out and back
    return 4 * (load[at] - own) * token > 2 * expert;
  });
  const slots = base.slots.map((own) => [...new Set([...own, ...hot])].toSorted((a, b) => a - b));
  return { name: "shadowed", experts: loads.experts, slots };
}
