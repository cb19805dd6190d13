/** How many rows a pass has, known once the gate has chosen. @module */
import { capacity, type Layer, routedCapacity } from "../blocks/mod.ts";
import {
  areEqual,
  evenLoads,
  type GivenLoads,
  givenLoads,
  largestLoad,
} from "../chunking/loads.ts";
import type { Engine, Workspace } from "../engine.ts";
import {
  checkPlacedWorld,
  paddedPlaces,
  type PassRows,
  slotLoads,
} from "../chunking/slot_loads.ts";
import { type Loads, SchemoeError } from "../types.ts";

/** Where loads come from. */
interface Routed {
  readonly layer: Layer;
  readonly engine: Engine;
  /** Holds the gate's loads, where the engine computes. */
  readonly workspace: Workspace;
  /** Begins the names of the layer's buffers; default "". */
  readonly prefix?: string;
  /** Loads of a dropless layer on an engine that computes no values. */
  readonly given?: GivenLoads;
  /** Loads counted from the choices of all ranks, where these were gathered. */
  readonly counted?: Loads;
}

/** The latest loads that gates have given, and their rows: those that come again are not checked and laid out again. */
const latest = new WeakMap<Layer, { readonly read: Loads; readonly rows: PassRows }>();

/** Rows of the loads that gates of a layer gave last: those of its next pass, where it is routed alike. */
export const latestRows = (layer: Layer): PassRows | undefined => latest.get(layer)?.rows;

/**
 * Capacity and loads of a pass whose gate has run, if they depend on it.
 * @throws {SchemoeError} when ranks found different ones, naming rank and expert.
 */
export function passRows(of: Routed): PassRows {
  const { layer } = of;
  checkPlacedWorld(layer, of.engine.representatives);
  if (layer.dropless) {
    const read = readLoads(of);
    const known = latest.get(layer);
    if (read && known && same(known.read.table, read.table)) return known.rows;
    const chosen = read ? givenLoads(layer, read) : unreadLoads(of);
    const loads = slotLoads(layer, chosen ?? evenLoads(layer));
    const most = Math.max(1, largestLoad(loads));
    const rows = {
      capacity: most,
      ...(areEqual(loads) ? {} : { loads }),
      ...(chosen ? { routed: true } : {}),
    };
    if (read) latest.set(layer, { read, rows });
    return rows;
  }
  return paddedPlaces(layer, capacity(layer, routedCapacity(layer) ? fullestExpert(of) : 0));
}

/** Loads of all experts that no engine has computed; none where nothing says what gates choose. */
function unreadLoads({ layer, engine, given, counted }: Routed): Loads | undefined {
  if (counted) return givenLoads(layer, counted);
  if (given && engine.representatives) {
    throw new SchemoeError(
      "Cannot use the loads: one node stands for all on this engine; simulate every rank",
    );
  }
  const loads = given ?? layer.gate.loads?.();
  return loads ? givenLoads(layer, loads) : undefined;
}

/** Loads of all experts on all ranks, on which all ranks must agree; none on an engine that computes no values. */
function readLoads({ layer, engine, workspace, counted, prefix = "" }: Routed): Loads | undefined {
  if (counted || !engine.computes) return undefined;
  const { experts, topology: { ranks } } = layer;
  const count = ranks * experts;
  const all = new Int32Array(workspace.readAll(`${prefix}gate.allLoads`, 4 * count).buffer);
  const tables = Array.from(
    { length: ranks },
    (_, rank) => all.subarray(rank * count, (rank + 1) * count),
  );
  const odd = tables.findIndex((table) => !same(table, tables[0]));
  if (odd >= 0) {
    const at = tables[odd].findIndex((load, i) => load !== tables[0][i]);
    throw new SchemoeError(
      `Cannot lay out the rows: rank ${odd} found that rank ${Math.floor(at / experts)} sends ` +
        `${tables[odd][at]} tokens to expert ${at % experts}, rank 0 found ${tables[0][at]}`,
      { rank: odd },
    );
  }
  return { ranks, experts, table: tables[0].slice() };
}

/** A plain loop: this is between a gate's end and what follows it. */
function same(a: Int32Array, b: Int32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

/** Load of the fullest expert on any rank, on which all ranks must agree. */
function fullestExpert({ layer, engine, workspace, counted, prefix = "" }: Routed): number {
  if (counted) return largestLoad(givenLoads(layer, counted));
  const { tokens, gate: { k }, gateRows } = layer;
  if (!engine.computes) return Math.ceil((tokens * k) / gateRows);
  const loads = new Int32Array(workspace.readAll(`${prefix}gate.capacity`, 4).buffer);
  const odd = loads.findIndex((load) => load !== loads[0]);
  if (odd >= 0) {
    throw new SchemoeError(
      `Cannot choose the capacity: rank ${odd} found a largest load of ${loads[odd]}, rank 0 of ` +
        `${loads[0]}`,
      { rank: odd },
    );
  }
  return loads[0];
}
