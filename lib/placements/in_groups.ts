/** Any placement, made for each expert group by the loads of its own ranks. @module */
import { aCount, aFunction, aPlacement, expect, options, someLoads } from "../arguments/mod.ts";
import { type Loads, SchemoeError } from "../types.ts";
import type { Placement } from "./types.ts";

const IN_GROUPS_OPTIONS = options({ expert: aCount, place: aFunction });

/**
 * A placement of a layer with `parallel: { expert }`: each group of ranks that hold all experts together has one of its
 * own, by the loads of its ranks alone.
 *
 * ```ts
 * import { eplb, placementInGroups, rankLoads } from "@schemoe/lab/placements";
 * import { loadsOf, zipfRouting } from "@schemoe/lab/routing";
 * const loads = loadsOf(zipfRouting({ ranks: 16, tokens: 512, experts: 32, topK: 2, exponent: 1 }));
 * const placement = placementInGroups(loads, {
 *   expert: 8,
 *   place: (loads) => eplb(loads, { nodes: 1, ranksPerNode: 8 }, { slotsPerRank: 5 }),
 * });
 * console.assert(placement.slots.length === 16);
 * console.assert(Math.max(...rankLoads(loads, placement, { expert: 8 })) < 1.1 * 512 * 2);
 * ```
 * @param loads of all ranks.
 * @param options.expert neighbouring ranks of a group, as `parallel.expert`.
 * @param options.place a placement on the ranks of a group, from 0, by their loads.
 * @throws {SchemoeError} for groups that do not divide the ranks, and placements of another number of ranks or experts.
 */
export function placementInGroups(
  loads: Loads,
  options: {
    readonly expert: number;
    readonly place: (loads: Loads, group: number) => Placement;
  },
): Placement {
  expect("placementInGroups", "loads", loads, someLoads);
  expect("placementInGroups", "options", options, IN_GROUPS_OPTIONS);
  const { expert, place } = options;
  const { ranks, experts, table } = loads;
  if (ranks % expert) fail(`groups of ${expert} ranks do not divide the ${ranks} of the loads`);
  const made = Array.from({ length: ranks / expert }, (_, group) => {
    const rows = table.slice(group * expert * experts, (group + 1) * expert * experts);
    const one = place({ ranks: expert, experts, table: rows }, group);
    expect("placementInGroups", `the placement of group ${group}`, one, aPlacement);
    if (one.slots.length !== expert || one.experts !== experts) {
      fail(
        `that of group ${group} is for ${one.slots.length} ranks and ${one.experts} experts, the group has ` +
          `${expert} and ${experts}`,
      );
    }
    return one;
  });
  return { name: made[0].name, experts, slots: made.flatMap(({ slots }) => slots) };
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot place experts in groups: ${problem}`);
}
