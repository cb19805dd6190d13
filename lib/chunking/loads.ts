/** How many tokens go from each rank to each expert. @module */
import { type Loads, SchemoeError } from "../types.ts";
import type { Layer } from "../blocks/layer_config.ts";
import { tokensOf } from "../blocks/rank_tokens.ts";

/** Tokens of a rank for an expert. */
export const loadOf = ({ experts, table }: Loads, rank: number, expert: number): number =>
  table[rank * experts + expert];

/** Loads that are all the same. */
export interface EqualLoads extends Loads {
  readonly each: number;
}

/** Equal loads of all ranks for all experts; the table is made when something asks for it. */
export function equalLoads(ranks: number, experts: number, each: number): EqualLoads {
  let table: Int32Array | undefined;
  return {
    ranks,
    experts,
    each,
    get table() {
      return table ??= new Int32Array(ranks * experts).fill(each);
    },
  };
}

/** The load that all experts have from all ranks, where that is known without looking at them. */
export const eachOf = (loads: Loads): number | undefined => (loads as Partial<EqualLoads>).each;

/** Load of the fullest expert on any rank: the places that it takes. */
export const largestLoad = ({ table }: Loads): number =>
  table.reduce((most, load) => Math.max(most, load), 0);

/** Whether each expert gets as many tokens from each rank, so that there is nothing to pad. */
export const areEqual = ({ table }: Loads): boolean => table.every((load) => load === table[0]);

/** Loads as equal as can be, for engines that compute no values. */
export function evenLoads(layer: Layer): Loads {
  const { gate, gateRows, experts, topology: { ranks } } = layer;
  const table = new Int32Array(ranks * experts);
  for (let rank = 0; rank < ranks; rank++) {
    // experts without computation get their part of the choices
    const choices = Math.round(tokensOf(layer, rank) * gate.k * experts / gateRows);
    const each = Math.floor(choices / experts);
    const more = choices - each * experts;
    for (let e = 0; e < experts; e++) table[rank * experts + e] = each + (e < more ? 1 : 0);
  }
  return { ranks, experts, table };
}

/** Loads as a user writes them: a list of all experts for each rank, or a table. */
export type GivenLoads = readonly (readonly number[])[] | Loads;

/** The lists of a table. */
function listsOf({ ranks, experts, table }: Loads): number[][] {
  return Array.from(
    { length: ranks },
    (_, rank) => Array.from(table.subarray(rank * experts, (rank + 1) * experts)),
  );
}

/**
 * Loads given by a user.
 * @throws {SchemoeError} naming the rank whose loads are not those of its tokens.
 */
export function givenLoads(layer: Layer, given: GivenLoads): Loads {
  const loads = "table" in given ? listsOf(given) : given;
  const { topK, experts, topology: { ranks } } = layer;
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot use the loads: ${problem}`);
  };
  if (!Array.isArray(loads) || loads.length !== ranks) {
    fail(`there must be a list for each of the ${ranks} ranks`);
  }
  for (const [rank, list] of loads.entries()) {
    const tokens = tokensOf(layer, rank);
    if (!Array.isArray(list) || list.length !== experts) {
      fail(`rank ${rank} must have one for each of the ${experts} experts`);
    }
    const odd = list.find((load) => !(Number.isInteger(load) && load >= 0 && load <= tokens));
    if (odd !== undefined) {
      fail(
        `rank ${rank} has a load of ${odd}; it must be an integer from 0 to its ${tokens} tokens`,
      );
    }
    const sum = list.reduce((a, b) => a + b, 0);
    if (layer.partial ? sum > tokens * topK : sum !== tokens * topK) {
      fail(
        `those of rank ${rank} add up to ${sum}; ${tokens} tokens with topK ${topK} make ` +
          `${layer.partial ? "at most " : ""}${tokens * topK}`,
      );
    }
  }
  return { ranks, experts, table: Int32Array.from(loads.flat()) };
}

/** Rows that a rank's experts get from all ranks in the places before `place`. */
export function rowsBefore(
  { ranks, experts, table }: Loads,
  { begin, end }: { begin: number; end: number },
  place: number,
): number {
  let rows = 0;
  for (let rank = 0; rank < ranks; rank++) {
    for (let e = begin; e < end; e++) rows += Math.min(table[rank * experts + e], place);
  }
  return rows;
}
