/** A routing that has given loads. @module */
import { anything, expect, manyAtMost, options, someLoads } from "../arguments/mod.ts";
import { type Loads, SchemoeError } from "../types.ts";
import { recordedRouting } from "./recorded.ts";
import type { RouterTrace } from "./types.ts";
import { quoted } from "../words.ts";

const ROUTING_OF_LOADS_OPTIONS = options({ tokens: anything, topK: anything });

/**
 * A routing of which only the loads are known (such as from `parseLoads`), to be replayed on engines that compute:
 * each rank's choices go round its tokens, expert after expert, so that no token has an expert twice. Which tokens
 * go together is made up; the loads are exact.
 *
 * ```ts
 * import { loadsOf, parseLoads, routingOfLoads } from "@schemoe/lab/routing";
 * const loads = parseLoads("3,0,1\n1,2,1\n");
 * const trace = routingOfLoads(loads, { tokens: 4, topK: 1 });
 * console.assert(loadsOf(trace).table.join() === loads.table.join());
 * ```
 * @param sizes tokens of each rank, and experts of each; a rank with fewer choices leaves the rest without experts.
 * @throws {SchemoeError} naming a rank with more choices than its tokens have, or an expert with more than tokens.
 */
export function routingOfLoads(
  of: Loads,
  options: { readonly tokens: number; readonly topK: number },
): RouterTrace {
  expect("routingOfLoads", "of", of, someLoads);
  expect("routingOfLoads", "options", options, ROUTING_OF_LOADS_OPTIONS);
  const { ranks, experts, table } = of;
  const { tokens, topK } = options;
  const fail = (problem: string): never => {
    throw new SchemoeError(`Cannot make a routing of the loads: ${problem}`);
  };
  for (const [name, value] of Object.entries({ tokens, topK })) {
    if (!Number.isInteger(value) || value < 1) {
      fail(`${name} must be a positive integer, got ${quoted(value)}`);
    }
    if (!manyAtMost.accepts(value)) fail(`${name} must be ${manyAtMost.what}, got ${value}`);
  }
  const choices = new Int32Array(ranks * tokens * topK).fill(-1);
  for (let rank = 0; rank < ranks; rank++) {
    let place = 0;
    for (let expert = 0; expert < experts; expert++) {
      const load = table[rank * experts + expert];
      if (load > tokens) {
        fail(`rank ${rank} has ${load} choices of expert ${expert}, and ${tokens} tokens`);
      }
      for (let i = 0; i < load; i++, place++) {
        if (place >= tokens * topK) {
          fail(`rank ${rank} has more choices than ${tokens} tokens of ${topK} experts`);
        }
        choices[(rank * tokens + place % tokens) * topK + Math.floor(place / tokens)] = expert;
      }
    }
  }
  return recordedRouting({ name: "of loads", ranks, experts, topK, choices });
}
