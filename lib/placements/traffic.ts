/** The traffic that a placement gives, and that a change of placement takes. @module */
import {
  aCount,
  aPlacement,
  atLeastZero,
  expect,
  maybe,
  options,
  someLoads,
} from "../arguments/mod.ts";
import type { TrafficMatrix } from "../alltoall/types.ts";
import { type Loads, SchemoeError } from "../types.ts";
import type { Placement } from "./types.ts";

const RANK_LOADS_OPTIONS = options({ ranksPerNode: maybe(aCount), expert: maybe(aCount) });
const TRAFFIC_OF_PLACEMENT_OPTIONS = options({
  ranksPerNode: aCount,
  bytesPerToken: atLeastZero,
  expert: maybe(aCount),
});
const PLACEMENT_MOVES_OPTIONS = options({ ranksPerNode: aCount, expertBytes: atLeastZero });

/**
 * Tokens from rank to rank. A rank's tokens for an expert stay if it has a copy itself, and are dealt out evenly
 * among the copies in its node, else among all copies of its group; what cannot be divided goes to the first ones
 * after the rank's own number.
 *
 * @returns [ranks, ranks].
 */
function tokensBetween(
  loads: Loads,
  placement: Placement,
  { ranksPerNode: perNode, expert: size = loads.ranks }: { ranksPerNode: number; expert?: number },
): Float64Array {
  const { ranks, experts, table } = loads;
  if (ranks % size) fail(`groups of ${size} ranks do not divide the ${ranks} of the loads`);
  if (placement.slots.length !== ranks || placement.experts !== experts) {
    fail(
      `it is for ${placement.slots.length} ranks and ${placement.experts} experts, the loads are of ` +
        `${ranks} and ${experts}`,
    );
  }
  // of each group, one after another
  const holders: number[][] = Array.from({ length: experts * (ranks / size) }, () => []);
  const place = (rank: number, expert: number) => Math.floor(rank / size) * experts + expert;
  placement.slots.forEach((own, rank) =>
    new Set(own).forEach((expert) => holders[place(rank, expert)].push(rank))
  );
  const lost = holders.findIndex((list) => list.length === 0);
  if (lost >= 0) {
    const where = size < ranks ? ` of the group of rank ${size * Math.floor(lost / experts)}` : "";
    fail(`expert ${lost % experts} is on no rank${where}`);
  }
  const between = new Float64Array(ranks * ranks);
  for (let source = 0; source < ranks; source++) {
    const node = Math.floor(source / perNode);
    for (let expert = 0; expert < experts; expert++) {
      const tokens = table[source * experts + expert];
      if (tokens === 0) continue;
      const all = holders[place(source, expert)];
      const near = all.filter((rank) => Math.floor(rank / perNode) === node);
      const to = all.includes(source) ? [source] : near.length ? near : all;
      const share = Math.floor(tokens / to.length);
      for (let i = 0; i < to.length; i++) {
        const target = to[(source + i) % to.length];
        between[source * ranks + target] += share + (i < tokens - share * to.length ? 1 : 0);
      }
    }
  }
  return between;
}

/**
 * Tokens that each rank computes under a placement.
 * @param options.expert neighbouring ranks that hold all experts together, as `parallel.expert`; default all ranks.
 * @throws {SchemoeError} for one of other loads, or that lacks an expert in a group.
 */
export function rankLoads(
  loads: Loads,
  placement: Placement,
  options: { readonly ranksPerNode?: number; readonly expert?: number } = {},
): Float64Array {
  expect("rankLoads", "loads", loads, someLoads);
  expect("rankLoads", "placement", placement, aPlacement);
  expect("rankLoads", "options", options, RANK_LOADS_OPTIONS);
  const { ranksPerNode = loads.ranks, expert } = options;
  const between = tokensBetween(loads, placement, { ranksPerNode, expert });
  const { ranks } = loads;
  return Float64Array.from({ length: ranks }, (_, rank) => {
    let sum = 0;
    for (let source = 0; source < ranks; source++) sum += between[source * ranks + rank];
    return sum;
  });
}

/**
 * Bytes from rank to rank under a placement.
 * @param options.expert neighbouring ranks that hold all experts together, as `parallel.expert`; default all ranks.
 * @throws {SchemoeError} for one of other loads, or that lacks an expert in a group.
 */
export function trafficOfPlacement(
  loads: Loads,
  placement: Placement,
  options: {
    readonly ranksPerNode: number;
    readonly bytesPerToken: number;
    readonly expert?: number;
  },
): TrafficMatrix {
  expect("trafficOfPlacement", "loads", loads, someLoads);
  expect("trafficOfPlacement", "placement", placement, aPlacement);
  expect("trafficOfPlacement", "options", options, TRAFFIC_OF_PLACEMENT_OPTIONS);
  const between = tokensBetween(loads, placement, options);
  const { ranks } = loads;
  return {
    ranks,
    bytes: (source, destination) => between[source * ranks + destination] * options.bytesPerToken,
  };
}

/**
 * Bytes of weights that a change of placement moves: each rank fetches an expert it lacks from a rank of its
 * node that has it, else from any, the one that gives least so far.
 * @throws {SchemoeError} for placements of different worlds.
 */
export function placementMoves(
  before: Placement,
  after: Placement,
  options: { readonly ranksPerNode: number; readonly expertBytes: number },
): TrafficMatrix {
  expect("placementMoves", "before", before, aPlacement);
  expect("placementMoves", "after", after, aPlacement);
  expect("placementMoves", "options", options, PLACEMENT_MOVES_OPTIONS);
  const ranks = before.slots.length;
  if (after.slots.length !== ranks || after.experts !== before.experts) {
    fail(`one is for ${ranks} ranks, the other for ${after.slots.length}, or for other experts`);
  }
  const node = (rank: number) => Math.floor(rank / options.ranksPerNode);
  const given = new Float64Array(ranks);
  const table = new Float64Array(ranks * ranks);
  after.slots.forEach((own, rank) => {
    for (const expert of new Set(own)) {
      if (before.slots[rank].includes(expert)) continue;
      const all = Array.from(before.slots.keys()).filter((r) => before.slots[r].includes(expert));
      if (all.length === 0) fail(`expert ${expert} was on no rank`);
      const near = all.filter((r) => node(r) === node(rank));
      const from = (near.length ? near : all).reduce((a, b) => given[b] < given[a] ? b : a);
      given[from] += options.expertBytes;
      table[from * ranks + rank] += options.expertBytes;
    }
  });
  return { ranks, bytes: (source, destination) => table[source * ranks + destination] };
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot use the placement: ${problem}`);
}
