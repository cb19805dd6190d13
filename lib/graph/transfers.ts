/** From the steps of an all-to-all's plan to transfers of bytes. @module */
import type { KnownPlans } from "../alltoall/known.ts";
import type { ExpertGroups } from "../blocks/mod.ts";
import { cut } from "../alltoall/parts.ts";
import { countTransfers, peersOf } from "../costs/mod.ts";
import type { MovedRows, RankTraffic, Topology, Traffic, Transfer, View } from "../types.ts";
import type { Slice, Step, TrafficMatrix } from "../alltoall/types.ts";

/** Where the slices of an exchange lie, and which of them it moves. */
export interface Slices {
  /** Bytes of a slice; with `ragged` of the largest. */
  readonly sliceBytes: number;
  /** Where a rank's first slice to send begins; the others follow, `sliceBytes` apart. Not looked at with `ragged`. */
  readonly input: View;
  /** Where a rank's first slice to receive begins; the others follow likewise. */
  readonly output: View;
  /** Name of a buffer of its own. */
  readonly scratch: string;
  /** Whether the slice from one rank to another is part of the exchange; default: all are. */
  readonly pairs?: (source: number, destination: number) => boolean;
  /** Present where slices differ in size, `sliceBytes` being the largest one's. */
  readonly ragged?: RaggedSlices;
}

/** Slices of different sizes; empty ones are not part of the exchange. */
export interface RaggedSlices {
  /** Whether every rank has as many bytes for every other one and itself, only not one after another. */
  readonly equal?: boolean;
  /** Who exchanges slices, all of `sliceBytes`, where `bytes` says no more than that. */
  readonly among?: Pick<ExpertGroups, "meet">;
  /** Bytes from rank to rank. */
  readonly bytes: (source: number, destination: number) => number;
  /** Where a rank's slice for another rank lies. */
  readonly input: (rank: number, destination: number) => View;
  /** Where a rank's slice from another rank lies. */
  readonly output: (rank: number, source: number) => View;
  /** Rows of a rank that are counted, `of` input or output: places and bytes are then those of all of them, and of equal ones. */
  readonly counted?: (rank: number, of: "input" | "output") => MovedRows;
}

/** Transfers of one phase on one rank. */
export function transfersOf(
  plans: KnownPlans,
  slices: Slices,
  { rank, phase, topology }: { rank: number; phase: number; topology: Topology },
): Transfer[] {
  const { steps } = plans.phases(rank)[phase];
  const { pairs, ragged } = slices;
  if (ragged) return raggedTransfers(plans, { ...slices, ragged }, { rank, phase, topology });
  const { parts } = plans;
  if (!pairs) {
    return steps.map((step) => transfer(slices, rank, step, parts)).filter(({ bytes }) =>
      bytes > 0
    );
  }
  const { ranks } = topology;
  const carried = plans.carried(rank, phase);
  const shadow = plans.direct() ? undefined : plans.scratch();
  const isPart = (value: number) => value >= 0 && pairs(Math.floor(value / ranks), value % ranks);
  const found: Transfer[] = [];
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i];
    const total = (step.kind === "receive" ? step.to : step.from).count ?? 1;
    for (let begin = 0, count = 1; begin < total; begin += count, count = 1) {
      const value = carried(i, begin);
      if (!isPart(value)) continue;
      // Both sides of a transfer see the same values, so they are cut in the same way.
      if (shadow === undefined) {
        while (begin + count < total && isPart(carried(i, begin + count))) count++;
      }
      const part = (slice: Slice) =>
        moved({ ...slice, index: slice.index + begin, count }, value, { rank, ranks }, shadow);
      const moving = step.kind === "copy"
        ? { ...step, from: part(step.from), to: part(step.to) }
        : step.kind === "send"
        ? { ...step, from: part(step.from) }
        : { ...step, to: part(step.to) };
      const made = transfer(slices, rank, moving, parts);
      if (made.bytes > 0) found.push(made);
    }
  }
  return found;
}

/** The same for slices of sizes of their own, each on its way alone. */
function raggedTransfers(
  plans: KnownPlans,
  slices: Slices & { readonly ragged: RaggedSlices },
  { rank, phase, topology: { ranks } }: { rank: number; phase: number; topology: Topology },
): Transfer[] {
  const { ragged, sliceBytes, scratch } = slices;
  const { steps } = plans.phases(rank)[phase];
  const carried = plans.carried(rank, phase);
  const shadow = plans.direct() ? undefined : plans.scratch();
  const rowsOf = (of: "input" | "output") =>
    ragged.counted ? { counted: ragged.counted(rank, of) } : undefined;
  const found: Transfer[] = [];
  for (const [i, step] of steps.entries()) {
    const total = (step.kind === "receive" ? step.to : step.from).count ?? 1;
    for (let k = 0; k < total; k++) {
      const value = carried(i, k);
      // Both sides of a transfer see the same values, so they leave out the same ones.
      const all = value < 0 ? 0 : ragged.bytes(Math.floor(value / ranks), value % ranks);
      const { begin, bytes } = cut(step, all, plans.parts);
      if (bytes === 0) continue;
      const view = (slice: Slice): View => {
        const index = slice.index + k;
        const { buffer, index: place } = moved(
          { buffer: slice.buffer, index },
          value,
          { rank, ranks },
          shadow,
        );
        if (buffer === "scratch") return { buffer: scratch, offset: place * sliceBytes + begin };
        const own = buffer === "input" ? ragged.input(rank, place) : ragged.output(rank, place);
        return begin === 0 ? own : { buffer: own.buffer, offset: own.offset + begin };
      };
      if (step.kind === "copy") {
        const [from, to] = [view(step.from), view(step.to)];
        found.push({ kind: "copy", peer: rank, bytes, from, to, ...rowsOf("input") });
      } else if (step.kind === "send") {
        const { peer } = step;
        found.push({ kind: "send", peer, bytes, from: view(step.from), ...rowsOf("input") });
      } else {
        const { peer } = step;
        found.push({ kind: "receive", peer, bytes, to: view(step.to), ...rowsOf("output") });
      }
    }
  }
  return found;
}

/** The traffic matrix of an exchange, for algorithms that plan by it. */
export function trafficMatrix(
  { sliceBytes, pairs, ragged }: Slices,
  { ranks }: Topology,
): TrafficMatrix {
  const bytes = ragged?.bytes ??
    ((source: number, destination: number) =>
      !pairs || pairs(source, destination) ? sliceBytes : 0);
  return { ranks, bytes };
}

/** Traffic of the part of a phase that an exchange moves, counted once a rank. */
export function partialTraffic(
  plans: KnownPlans,
  slices: Slices,
  { phase, topology }: { phase: number; topology: Topology },
): Traffic {
  const known = new Map<number, { of: RankTraffic; peers: Int32Array }>();
  const count = (rank: number) => {
    let found = known.get(rank);
    if (!found) {
      const transfers = transfersOf(plans, slices, { rank, phase, topology });
      found = { of: countTransfers(topology, rank, transfers), peers: peersOf(rank, transfers) };
      known.set(rank, found);
    }
    return found;
  };
  const pattern = {
    of: (rank: number) => count(rank).of,
    peers: (rank: number) => count(rank).peers,
  };
  return { sliceBytes: 1, pattern };
}

/** Slices of scratch that an exchange needs. */
export function scratchOf(
  plans: KnownPlans,
  { pairs, ragged }: Slices,
  { ranks }: Topology,
): number {
  return plans.scratch() + ((pairs ?? ragged) && !plans.direct() ? 2 * ranks : 0);
}

function transfer(
  { sliceBytes, input, output, scratch }: Slices,
  rank: number,
  step: Step,
  parts: number,
): Transfer {
  const { begin, bytes: part } = cut(step, sliceBytes, parts);
  const view = ({ buffer, index }: Slice): View => {
    const base = buffer === "scratch"
      ? { buffer: scratch, offset: 0 }
      : buffer === "input"
      ? input
      : output;
    return { buffer: base.buffer, offset: base.offset + index * sliceBytes + begin };
  };
  const bytes = part * ((step.kind === "receive" ? step.to : step.from).count ?? 1);
  if (step.kind === "copy") {
    return { kind: "copy", peer: rank, bytes, from: view(step.from), to: view(step.to) };
  }
  const { kind, peer } = step;
  return kind === "send"
    ? { kind, peer, bytes, from: view(step.from) }
    : { kind, peer, bytes, to: view(step.to) };
}

/**
 * Where one slice lies. All exchanges of a pass share their input and output, so a plan that keeps
 * there what belongs elsewhere keeps it in scratch instead, behind its own.
 */
function moved(
  slice: Slice,
  value: number,
  { rank, ranks }: { rank: number; ranks: number },
  shadow?: number,
): Slice {
  const { buffer, index } = slice;
  if (shadow === undefined || buffer === "scratch") return slice;
  const own = buffer === "input" ? rank * ranks + index : index * ranks + rank;
  return value === own
    ? slice
    : { buffer: "scratch", index: shadow + index + (buffer === "output" ? ranks : 0) };
}
