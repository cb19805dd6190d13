/** Tokens for the slots of placed experts. @module */
import type { Layer } from "../blocks/layer_config.ts";
import { type Chunk, type CountedRows, type Loads, SchemoeError } from "../types.ts";
import { equalLoads, largestLoad, loadOf } from "./loads.ts";
import { splitKind } from "./split.ts";

/** Places that the rows of a pass are laid out by. */
export interface PassRows {
  /** Places of a slot for the tokens of one rank. */
  readonly capacity: number;
  /** Rows for each slot, unless all have as many: then padded rows have no padding. */
  readonly loads?: Loads;
  /** In place of loads, where these are counted as a Program runs: rows of each rank. */
  readonly counted?: readonly CountedRows[];
  /** Places of an expert of a padded layer: choices beyond go nowhere. Present with a placement alone. */
  readonly limit?: number;
  /** Whether a gate's choices gave capacity and loads; see `Chunking.split`. */
  readonly routed?: boolean;
}

/** Tokens that each rank sends to each slot of its group, from those for each expert. */
export function slotLoads(layer: Layer, loads: Loads): Loads {
  const { placed, slots } = layer;
  if (!placed) return loads;
  const { ranks, experts } = loads;
  const table = new Int32Array(ranks * slots);
  for (let rank = 0; rank < ranks; rank++) {
    for (let expert = 0; expert < experts; expert++) {
      const load = loadOf(loads, rank, expert);
      if (load === 0) continue;
      const to = placed.targets(rank, expert);
      for (let i = 0; i < to.length; i++) {
        table[rank * slots + to[i]] += Math.ceil((load - i) / to.length);
      }
    }
  }
  return { ranks, experts: slots, table };
}

const known = new WeakMap<Layer, Map<number, PassRows>>();

/**
 * Rows of a padded layer, of so many places an expert. Where a placement deals out tokens, a slot has only the places
 * that may be dealt to it.
 */
export function paddedPlaces(layer: Layer, places: number): PassRows {
  const { placed, experts, topology: { ranks } } = layer;
  if (!placed) return { capacity: places };
  if (placed.regular) return { capacity: places, limit: places };
  let ofLayer = known.get(layer);
  if (!ofLayer) known.set(layer, ofLayer = new Map());
  let rows = ofLayer.get(places);
  if (!rows) {
    const table = new Int32Array(ranks * experts).fill(places);
    const loads = slotLoads(layer, { ranks, experts, table });
    ofLayer.set(places, rows = { capacity: largestLoad(loads), loads, limit: places });
  }
  return rows;
}

/** What a chunking is given: groups of peers are those of an expert group. */
export function splitOf(layer: Layer, { capacity, loads, routed }: PassRows) {
  const { topology, localSlots, groups } = layer;
  const world = groups.count > 1 ? { ...topology, ranks: groups.size } : topology;
  const of = { ...(loads ? { loads } : {}), ...(routed ? { routed } : {}) };
  return { capacity, topology: world, localExperts: localSlots, ...of };
}

/**
 * Rows of a pass that is split: groups of peers in expert groups smaller than the world, and waves of experts, have rows
 * with an extent of their own for each pair of ranks, all places of padded ones.
 */
export function splitRows(layer: Layer, rows: PassRows, chunks: readonly Chunk[]): PassRows {
  const { groups, slots, topology: { ranks }, placed, dropless } = layer;
  const kind = splitKind(chunks);
  if (rows.loads || kind === "capacity" || (kind === "peers" && groups.count === 1)) return rows;
  const { capacity } = rows;
  // where experts with copies have equal loads, every place is taken
  const limit = rows.limit ?? (placed && dropless ? undefined : capacity);
  return {
    capacity,
    loads: equalLoads(ranks, slots, capacity),
    ...(limit === undefined ? {} : { limit }),
  };
}

/** @throws {SchemoeError} for an engine on which one node stands for all, where ranks differ by their placement. */
export function checkPlacedWorld(layer: Layer, representatives: readonly number[] | undefined) {
  if (!layer.placed || !representatives) return;
  throw new SchemoeError(
    `Cannot use the placement "${layer.placed.name}": one node stands for all on this engine; simulate every rank`,
  );
}
