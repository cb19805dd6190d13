/** Collectives with sums as tasks of a graph. @module */
import { type CollectiveProof, proveCollective } from "../alltoall/mod.ts";
import { scratchSlices } from "../alltoall/moves.ts";
import { partsOf, phaseName, phasesBefore } from "../alltoall/plan.ts";
import { add } from "../kernels/mod.ts";
import type { Collective, CollectivePhase, Reduce, Slice, Step } from "../alltoall/types.ts";
import { type Kernel, SchemoeError, type Task, type Transfer, type View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { cut } from "./transfers.ts";

/** One collective of a graph. */
export interface CollectiveExchange {
  readonly label: string;
  readonly chunk: number;
  readonly stage: number;
  readonly after: readonly Task[];
  readonly collective: Collective;
  /** Bytes of a slice of a rank's input, float32 values. */
  bytes(rank: number, input: number): number;
  /** Where slices of input and output of a rank begin: they lie one after another. */
  readonly input: View;
  readonly output: View;
  /** Name of a buffer of its own. */
  readonly scratch: string;
}

const WORD = 4;

/**
 * Adds the phases of a collective as tasks: transfers on their lanes, sums as kernels. Sums are in the order of
 * their steps, so every schedule and engine gives the same bits.
 *
 * @returns the tasks on which no other phase of this collective depends.
 * @throws {SchemoeError} when a plan is wrong, naming rank, phase and slice.
 */
export function addCollective(g: GraphBuilder, exchange: CollectiveExchange): Task[] {
  const { collective, label, chunk, stage, after, scratch } = exchange;
  const { plans, carried } = proveCollective(collective, g.topology);
  const parts = partsOf(collective);
  const offsets = offsetsOf(exchange, { plans, carried });
  const view = (rank: number, { buffer, index }: Slice, begin: number): View => {
    const base = buffer === "scratch" ? { buffer: scratch, offset: 0 } : exchange[buffer];
    return { buffer: base.buffer, offset: base.offset + offsets[rank][buffer][index] + begin };
  };
  /** Where what a step moves begins in its first slice, and its bytes: both sides of a transfer see the same. */
  const range = (rank: number, phase: number, step: number) => {
    const all = bytesOf(exchange, carried, { rank, phase, step });
    const found = plans[rank][phase].steps[step];
    if (found.part) return cut(found, all(0), parts);
    let bytes = 0;
    for (let k = 0; k < countOf(found); k++) bytes += all(k);
    return { begin: 0, bytes };
  };
  const transfers = (rank: number, phase: number): Transfer[] =>
    (plans[rank][phase].steps as readonly Step[]).map((step, number) => {
      const { begin, bytes } = range(rank, phase, number);
      const peer = step.kind === "copy" ? rank : step.peer;
      return {
        ...{ kind: step.kind, peer, bytes },
        ...(step.kind === "receive" ? {} : { from: view(rank, step.from, begin) }),
        ...(step.kind === "send" ? {} : { to: view(rank, step.to, begin) }),
      };
    }).filter(({ bytes }) => bytes > 0);
  const sums = (rank: number, phase: number): Kernel[] =>
    (plans[rank][phase].steps as readonly Reduce[]).flatMap(({ from, to }, number) => {
      const { begin, bytes } = range(rank, phase, number);
      if (bytes === 0) return [];
      const [first, ...others] = from.map((slice) => view(rank, slice, begin));
      const out = view(rank, to, begin);
      return others.map((other, i) => add(bytes / WORD, i ? out : first, other, out));
    });
  const tasks: Task[] = [];
  const phases = plans[0];
  for (const [index, phase] of phases.entries()) {
    const before = phasesBefore(phase, index);
    const common = {
      ...{ label, chunk, stage, lane: phase.lane },
      name: `${label}[${chunk}] ${phaseName(phase)}`,
      after: before.length ? before.map((i) => tasks[i]) : after,
      uses: [exchange.input, exchange.output, scratch],
    };
    if (phase.lane !== "compute") {
      const of = (rank: number) => transfers(rank, index);
      tasks.push(g.add({ ...common, kind: "allToAll", transfers: of }));
      continue;
    }
    const work = (rank: number) =>
      additions(plans[rank][index], (step) => range(rank, index, step).bytes);
    const most = plans.reduce((most, _, rank) => Math.max(most, work(rank)), 0);
    tasks.push(g.add({
      ...common,
      kind: "combine",
      flops: most,
      rankFlops: work,
      // each addition reads two values and writes one
      bytes: 3 * WORD * most,
      kernels: (rank) => sums(rank, index),
    }));
  }
  const room = offsets.reduce(
    (most, { scratch }) => Math.max(most, scratch[scratch.length - 1]),
    0,
  );
  g.buffer(scratch, room, "pass");
  const inner = new Set(phases.flatMap(phasesBefore));
  return tasks.filter((_, index) => !inner.has(index));
}

type Carried = CollectiveProof["carried"];
type Place = Parameters<Carried>[0];

const countOf = (step: Step | Reduce): number =>
  (step.kind === "copy" || step.kind === "send" ? step.from : step.to).count ?? 1;

/** Bytes of the slices that a step moves; none where no output depends on them. */
function bytesOf({ bytes }: CollectiveExchange, carried: Carried, at: Place) {
  return (k: number) => {
    const value = carried(at, k);
    return value ? bytes(...value) : 0;
  };
}

/** Where each slice of a rank begins in its buffer, and where the last one ends. */
type Offsets = Readonly<Record<Slice["buffer"], readonly number[]>>;

/** @throws {SchemoeError} when a slot of scratch holds slices of different sizes. */
function offsetsOf(
  exchange: CollectiveExchange,
  { plans, carried }: Pick<CollectiveProof, "plans" | "carried">,
): Offsets[] {
  const { collective } = exchange;
  const added = (sizes: readonly number[]) => {
    const begins = [0];
    for (const size of sizes) begins.push(begins[begins.length - 1] + size);
    return begins;
  };
  const list = (count: number, size: (i: number) => number) =>
    Array.from({ length: count }, (_, i) => size(i));
  return plans.map((phases, rank) => {
    const held: number[] = new Array(scratchSlices(phases)).fill(0);
    for (const [phase, { steps }] of phases.entries()) {
      for (const [number, step] of steps.entries()) {
        if (step.kind === "send" || step.to.buffer !== "scratch") continue;
        const bytes = bytesOf(exchange, carried, { rank, phase, step: number });
        for (let k = 0; k < countOf(step); k++) {
          const slot = step.to.index + k;
          if (held[slot] > 0 && bytes(k) > 0 && held[slot] !== bytes(k)) {
            throw new SchemoeError(
              `Cannot use the collective "${collective.name}": rank ${rank} keeps slices of ${
                held[slot]
              } and ` +
                `${bytes(k)} bytes in scratch slice ${slot}; use one for each`,
              { rank },
            );
          }
          held[slot] = Math.max(held[slot], bytes(k));
        }
      }
    }
    return {
      input: added(list(collective.inputs(rank), (i) => exchange.bytes(rank, i))),
      output: added(
        list(collective.outputs(rank), (i) => exchange.bytes(...collective.terms(rank, i)[0])),
      ),
      scratch: added(held),
    };
  });
}

/** Additions of single values in a phase of sums. */
function additions({ steps }: CollectivePhase, bytes: (step: number) => number): number {
  return steps.reduce(
    (sum, step, i) => sum + ((step as Reduce).from.length - 1) * bytes(i) / WORD,
    0,
  );
}
