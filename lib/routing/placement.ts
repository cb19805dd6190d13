/** Which ranks hold which experts, with copies: plans that follow the loads, and the traffic they give. @module */
import { type Loads, SchemoeError } from "../types.ts";
import type { TrafficMatrix } from "../alltoall/types.ts";

/** Experts of each rank; an expert may be on several. */
export interface Placement {
  readonly name: string;
  readonly experts: number;
  /** Experts of each rank, by slot. */
  readonly slots: readonly (readonly number[])[];
}

/** Worlds that placements are made for. */
export interface PlacementWorld {
  readonly nodes: number;
  readonly ranksPerNode: number;
}

/** Experts in equal runs on the ranks, in order, each once. @throws {SchemoeError} when they do not fit. */
export function identityPlacement(experts: number, ranks: number): Placement {
  if (experts % ranks) fail(`${ranks} ranks do not divide ${experts} experts`);
  const each = experts / ranks;
  const slots = Array.from(
    { length: ranks },
    (_, rank) => Array.from({ length: each }, (_, i) => rank * each + i),
  );
  return { name: "identity", experts, slots };
}

/**
 * Greedy hierarchical balancing (EPLB, published with DeepSeek-V3, arXiv 2412.19437): experts are packed onto
 * nodes so that these have equal loads; in each node the expert with most load a copy gets a further copy until
 * all slots are taken; copies are packed onto its ranks, the heaviest first, each on the rank with least load that
 * has a slot and not this expert.
 *
 * ```ts
 * import { eplb, loadsOf, rankLoads, zipfRouting } from "@schemoe/lab/routing";
 * const loads = loadsOf(zipfRouting({ ranks: 8, tokens: 512, experts: 16, topK: 2, exponent: 1 }));
 * const placement = eplb(loads, { nodes: 2, ranksPerNode: 4 }, { slotsPerRank: 3 });
 * console.assert(placement.slots.every((experts) => experts.length === 3));
 * console.assert(rankLoads(loads, placement).length === 8);
 * ```
 * @throws {SchemoeError} when nodes do not divide the experts, or slots do not hold each of them.
 */
export function eplb(
  loads: Loads,
  { nodes, ranksPerNode }: PlacementWorld,
  { slotsPerRank }: { readonly slotsPerRank: number },
): Placement {
  const { experts } = loads;
  const slots = slotsPerRank * ranksPerNode;
  if (experts % nodes) fail(`${nodes} nodes do not divide ${experts} experts`);
  const each = experts / nodes;
  if (!Number.isInteger(slotsPerRank) || slots < each) {
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

/** Tokens for each expert, of all ranks. */
function expertLoads({ experts, table }: Loads): Float64Array {
  const load = new Float64Array(experts);
  table.forEach((tokens, i) => load[i % experts] += tokens);
  return load;
}

/**
 * Tokens from rank to rank. A rank's tokens for an expert stay if it has a copy itself, and are dealt out evenly
 * among the copies in its node, else among all copies; what cannot be divided goes to the first ones after the
 * rank's own number.
 *
 * @returns [ranks, ranks].
 */
function tokensBetween(loads: Loads, placement: Placement, perNode: number): Float64Array {
  const { ranks, experts, table } = loads;
  if (placement.slots.length !== ranks || placement.experts !== experts) {
    fail(
      `it is for ${placement.slots.length} ranks and ${placement.experts} experts, the loads are of ` +
        `${ranks} and ${experts}`,
    );
  }
  const holders: number[][] = Array.from({ length: experts }, () => []);
  placement.slots.forEach((own, rank) => new Set(own).forEach((e) => holders[e].push(rank)));
  const lost = holders.findIndex((list) => list.length === 0);
  if (lost >= 0) fail(`expert ${lost} is on no rank`);
  const between = new Float64Array(ranks * ranks);
  for (let source = 0; source < ranks; source++) {
    const node = Math.floor(source / perNode);
    for (let expert = 0; expert < experts; expert++) {
      const tokens = table[source * experts + expert];
      if (tokens === 0) continue;
      const all = holders[expert];
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

/** Tokens that each rank computes under a placement. @throws {SchemoeError} for one of other loads. */
export function rankLoads(
  loads: Loads,
  placement: Placement,
  { ranksPerNode = loads.ranks }: { readonly ranksPerNode?: number } = {},
): Float64Array {
  const between = tokensBetween(loads, placement, ranksPerNode);
  const { ranks } = loads;
  return Float64Array.from({ length: ranks }, (_, rank) => {
    let sum = 0;
    for (let source = 0; source < ranks; source++) sum += between[source * ranks + rank];
    return sum;
  });
}

/** Bytes from rank to rank under a placement. @throws {SchemoeError} for one of other loads. */
export function trafficOfPlacement(
  loads: Loads,
  placement: Placement,
  options: { readonly ranksPerNode: number; readonly bytesPerToken: number },
): TrafficMatrix {
  const between = tokensBetween(loads, placement, options.ranksPerNode);
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
