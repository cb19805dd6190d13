/** From the steps of an all-to-all's plan to transfers of bytes. @module */
import type { KnownPlans } from "../alltoall/known.ts";
import type { Slice, Step, Topology, Transfer, View } from "../types.ts";

/** Where the slices of an exchange lie, and which of them it moves. */
export interface Slices {
  readonly sliceBytes: number;
  readonly input: View;
  readonly output: View;
  /** Name of a buffer of its own. */
  readonly scratch: string;
  /** Whether the slice from one rank to another is part of the exchange; default: all are. */
  readonly pairs?: (source: number, destination: number) => boolean;
}

/** Transfers of one phase on one rank. */
export function transfersOf(
  plans: KnownPlans,
  slices: Slices,
  { rank, phase, topology }: { rank: number; phase: number; topology: Topology },
): Transfer[] {
  const { steps } = plans.phases(rank)[phase];
  const { pairs } = slices;
  if (!pairs) return steps.map((step) => transfer(slices, rank, step));
  const carried = plans.carried(rank, phase);
  const shadow = plans.direct() ? undefined : plans.scratch();
  const at = { rank, ranks: topology.ranks };
  return steps.flatMap((step, i) =>
    parts(carried[i], at.ranks, pairs, shadow === undefined).map(({ begin, count }) => {
      const part = (slice: Slice) =>
        moved({ ...slice, index: slice.index + begin, count }, carried[i][begin], at, shadow);
      if (step.kind === "copy") {
        return transfer(slices, rank, { ...step, from: part(step.from), to: part(step.to) });
      }
      return step.kind === "send"
        ? transfer(slices, rank, { ...step, from: part(step.from) })
        : transfer(slices, rank, { ...step, to: part(step.to) });
    })
  );
}

/** Slices of scratch that an exchange needs. */
export function scratchOf(plans: KnownPlans, { pairs }: Slices, { ranks }: Topology): number {
  return plans.scratch() + (pairs && !plans.direct() ? 2 * ranks : 0);
}

function transfer(
  { sliceBytes, input, output, scratch }: Slices,
  rank: number,
  step: Step,
): Transfer {
  const view = ({ buffer, index }: Slice): View => {
    const base = buffer === "scratch"
      ? { buffer: scratch, offset: 0 }
      : buffer === "input"
      ? input
      : output;
    return { buffer: base.buffer, offset: base.offset + index * sliceBytes };
  };
  const bytes = sliceBytes * ((step.kind === "receive" ? step.to : step.from).count ?? 1);
  if (step.kind === "copy") {
    return { kind: "copy", peer: rank, bytes, from: view(step.from), to: view(step.to) };
  }
  const { kind, peer } = step;
  return kind === "send"
    ? { kind, peer, bytes, from: view(step.from) }
    : { kind, peer, bytes, to: view(step.to) };
}

/** Runs of slices of a step that are part of the exchange; both sides of a transfer see the same. */
function parts(
  carried: Int32Array,
  ranks: number,
  pairs: NonNullable<Slices["pairs"]>,
  together: boolean,
): { begin: number; count: number }[] {
  const found: { begin: number; count: number }[] = [];
  for (const [k, value] of carried.entries()) {
    if (value < 0 || !pairs(Math.floor(value / ranks), value % ranks)) continue;
    const last = found.at(-1);
    if (together && last && last.begin + last.count === k) last.count++;
    else found.push({ begin: k, count: 1 });
  }
  return found;
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
