/** Experts packed onto nodes and ranks by their loads, the fullest ones copied. @module */
import { checkFields, expect, someLoads } from "../arguments/mod.ts";
import { type Loads, SchemoeError } from "../types.ts";
import { expertLoads } from "./loads.ts";
import { quoted } from "../words.ts";
import type { Placement, PlacementWorld } from "./types.ts";

/**
 * Greedy hierarchical balancing (EPLB, published with DeepSeek-V3, arXiv 2412.19437): experts are packed onto
 * nodes so that these have equal loads; in each node the expert with most load a copy gets a further copy until
 * all slots are taken; copies are packed onto its ranks, the heaviest first, each on the rank with least load that
 * has a slot and not this expert.
 *
 * ```ts
 * import { eplb, rankLoads } from "@schemoe/lab/placements";
 * import { loadsOf, zipfRouting } from "@schemoe/lab/routing";
 * const loads = loadsOf(zipfRouting({ ranks: 8, tokens: 512, experts: 16, topK: 2, exponent: 1 }));
 * const placement = eplb(loads, { nodes: 2, ranksPerNode: 4 }, { slotsPerRank: 3 });
 * console.assert(placement.slots.every((experts) => experts.length === 3));
 * console.assert(rankLoads(loads, placement).length === 8);
 * ```
 * @throws {SchemoeError} when nodes do not divide the experts, or slots do not hold each of them.
 */
export function eplb(
  loads: Loads,
  world: PlacementWorld,
  options: { readonly slotsPerRank: number },
): Placement {
  expect("eplb", "loads", loads, someLoads);
  const { nodes, ranksPerNode }: PlacementWorld = Object(world);
  const { slotsPerRank, ...others }: typeof options = Object(options);
  checkFields(others, ["slotsPerRank"], { what: "options", fail });
  for (const [name, value] of Object.entries({ nodes, ranksPerNode, slotsPerRank })) {
    if (!Number.isInteger(value) || value < 1) {
      fail(`${name} must be a positive integer, got ${quoted(value)}`);
    }
  }
  const { experts } = loads;
  const slots = slotsPerRank * ranksPerNode;
  if (experts % nodes) fail(`${nodes} nodes do not divide ${experts} experts`);
  const each = experts / nodes;
  if (slots < each) {
    fail(`${slotsPerRank} slots a rank hold fewer than the ${each} experts of a node`);
  }
  const load = expertLoads(loads);
  const heaviest = (list: readonly number[], of: (e: number) => number) =>
    list.toSorted((a, b) => of(b) - of(a) || a - b);
  const ofNode = packed(
    heaviest(Array.from(load.keys()), (e) => load[e]),
    { bins: nodes, room: each, weight: (e) => load[e] },
  );
  const ranks = ofNode.flatMap((own) => {
    const copies = new Map(own.map((expert) => [expert, 1]));
    const perCopy = (expert: number) => load[expert] / copies.get(expert)!;
    for (let taken = own.length; taken < slots; taken++) {
      const spare = own.filter((expert) => copies.get(expert)! < ranksPerNode);
      if (spare.length === 0) break;
      const hottest = spare.reduce((a, b) => perCopy(b) > perCopy(a) ? b : a);
      copies.set(hottest, copies.get(hottest)! + 1);
    }
    const all = own.flatMap((expert) => Array<number>(copies.get(expert)!).fill(expert));
    return packed(heaviest(all, perCopy), {
      bins: ranksPerNode,
      room: slotsPerRank,
      weight: perCopy,
    });
  });
  return { name: "eplb", experts, slots: ranks };
}

/**
 * Each item to the lightest bin that has room and not this item, the given order kept; where every bin with room
 * has it already, to the lightest of these.
 */
function packed(
  items: readonly number[],
  { bins, room, weight }: { bins: number; room: number; weight: (item: number) => number },
): number[][] {
  const found: number[][] = Array.from({ length: bins }, () => []);
  const load = new Float64Array(bins);
  for (const item of items) {
    const open = Array.from(found.keys()).filter((bin) => found[bin].length < room);
    const without = open.filter((bin) => !found[bin].includes(item));
    const lightest = (without.length ? without : open).reduce((a, b) => load[b] < load[a] ? b : a);
    found[lightest].push(item);
    load[lightest] += weight(item);
  }
  return found.map((list) => list.toSorted((a, b) => a - b));
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot use the placement: ${problem}`);
}
