/** What the slices of a collective hold: their transfers, sums and codes. @module */
import type { CollectiveProof } from "../alltoall/mod.ts";
import { scratchSlices } from "../alltoall/moves.ts";
import { partsOf } from "../alltoall/plan.ts";
import { addSlices } from "../kernels/mod.ts";
import type { Collective, Reduce, Slice, Step } from "../alltoall/types.ts";
import { elementSize } from "../memory/mod.ts";
import { type Kernel, SchemoeError, type Transfer, type View } from "../types.ts";
import type { CollectiveSizes, SliceValues } from "./collective_sizes.ts";
import { cut } from "../alltoall/parts.ts";

const BUFFERS: readonly Slice["buffer"][] = ["input", "scratch", "output"];

/** A sum with the range of its slices that is added. */
interface RangedSum extends Pick<Reduce, "from" | "to"> {
  readonly begin: number;
  readonly bytes: number;
}

/** Values of the slices of a collective, with where they lie in its plans. */
export class PlannedValues implements CollectiveSizes {
  readonly elementBytes: number;
  readonly #parts: number;
  readonly #offsets: readonly Offsets[];

  constructor(
    readonly values: SliceValues,
    collective: Collective,
    readonly proof: Pick<CollectiveProof, "plans" | "carried">,
  ) {
    this.elementBytes = elementSize(values.dtype ?? "float32");
    this.#parts = partsOf(collective);
    this.#offsets = offsetsOf(values, collective, proof);
  }

  /** Bytes of scratch of the rank that needs most. */
  get room(): number {
    return this.#offsets.reduce(
      (most, { scratch }) => Math.max(most, scratch[scratch.length - 1]),
      0,
    );
  }

  transfers(rank: number, phase: number): Transfer[] {
    const { lane } = this.proof.plans[rank][phase];
    if (this.values.coding && lane === "inter") {
      return this.#crossings(rank, phase).map(({ kind, peer, rows, wire }) => {
        const bytes = rows * this.values.coding!.wireBytes;
        return { kind, peer, bytes, ...(kind === "send" ? { from: wire } : { to: wire }) };
      });
    }
    return (this.proof.plans[rank][phase].steps as readonly Step[]).map((step, number) => {
      const { begin, bytes } = this.#range(rank, phase, number);
      const peer = step.kind === "copy" ? rank : step.peer;
      return {
        ...{ kind: step.kind, peer, bytes },
        ...(step.kind === "receive" ? {} : { from: this.#view(rank, step.from, begin) }),
        ...(step.kind === "send" ? {} : { to: this.#view(rank, step.to, begin) }),
      };
    }).filter(({ bytes }) => bytes > 0);
  }

  moved(rank: number, phase: number): Transfer[] {
    return this.transfers(rank, phase);
  }

  sums(rank: number, phase: number): Kernel[] {
    const sums = (this.proof.plans[rank][phase].steps as readonly Reduce[]).flatMap(
      ({ from, to }, number) => {
        const { begin, bytes } = this.#range(rank, phase, number);
        return bytes > 0 ? [{ from, to, begin, bytes }] : [];
      },
    );
    return BUFFERS.flatMap((buffer) => {
      const own = sums.filter(({ to }) => to.buffer === buffer);
      return own.length > 0 ? [this.#added(rank, buffer, own)] : [];
    });
  }

  /** All sums into one buffer. */
  #added(rank: number, buffer: Slice["buffer"], sums: readonly RangedSum[]): Kernel {
    const { dtype, rowBytes = this.elementBytes } = this.values;
    const at = (slice: Slice, begin: number) =>
      this.#offsets[rank][slice.buffer][slice.index] + begin;
    const inputs = BUFFERS.filter((name) =>
      sums.some(({ from }) => from.some((slice) => slice.buffer === name))
    );
    const whole = sums.every(({ from, to, begin, bytes }) =>
      [bytes, at(to, begin), ...from.map((slice) => at(slice, begin))]
        .every((offset) => offset % rowBytes === 0)
    );
    const values = (bytes: number) => bytes / this.elementBytes;
    return addSlices({
      dtype,
      unit: whole ? values(rowBytes) : 1,
      inputs: inputs.map((name) => this.#base(name)),
      out: this.#base(buffer),
      sums: sums.map(({ from, to, begin, bytes }) => ({
        count: values(bytes),
        to: values(at(to, begin)),
        from: from.map((slice) => [inputs.indexOf(slice.buffer), values(at(slice, begin))]),
      })),
    });
  }

  /** Where a buffer of slices begins. */
  #base(buffer: Slice["buffer"]): View {
    return buffer === "scratch" ? { buffer: this.values.scratch, offset: 0 } : this.values[buffer];
  }

  /** Kernels that code what a phase sends, or decode what it receives. */
  codes(rank: number, phase: number, kind: "compress" | "decompress"): Kernel[] {
    const { encode, decode } = this.values.coding!;
    return this.#crossings(rank, phase).flatMap(({ kind: way, rows, view, wire }) => {
      if (kind === "compress") return way === "send" ? [encode(rows, view, wire)] : [];
      return way === "receive" ? [decode(rows, wire, view)] : [];
    });
  }

  /** Rows that a rank sends, or receives, in a phase. */
  crossing(rank: number, phase: number, side: "send" | "receive"): number {
    return this.#crossings(rank, phase).reduce(
      (sum, { kind, rows }) => kind === side ? sum + rows : sum,
      0,
    );
  }

  /** Rows that cross in a phase: where they are, and where they are coded. */
  #crossings(rank: number, phase: number) {
    const { rowBytes, wireBytes } = this.values.coding!;
    const next = { send: 0, receive: 0 };
    return (this.proof.plans[rank][phase].steps as readonly Step[]).flatMap((step, number) => {
      const { begin, bytes } = this.#range(rank, phase, number);
      if (step.kind === "copy" || bytes === 0) return [];
      const { kind, peer } = step;
      const rows = bytes / rowBytes;
      const view = this.#view(rank, kind === "send" ? step.from : step.to, begin);
      const wire = { buffer: wireName(this.values, phase, kind), offset: next[kind] };
      next[kind] += rows * wireBytes;
      return [{ kind, peer, rows, view, wire }];
    });
  }

  /** Additions of single values in a phase of sums. */
  additions(rank: number, phase: number): number {
    const { steps } = this.proof.plans[rank][phase];
    return steps.reduce((sum, step, i) => {
      const { bytes } = this.#range(rank, phase, i);
      return sum + ((step as Reduce).from.length - 1) * bytes / this.elementBytes;
    }, 0);
  }

  #view(rank: number, { buffer, index }: Slice, begin: number): View {
    const base = this.#base(buffer);
    return {
      buffer: base.buffer,
      offset: base.offset + this.#offsets[rank][buffer][index] + begin,
    };
  }

  /** Where what a step moves begins in its first slice, and its bytes: both sides of a transfer see the same. */
  #range(rank: number, phase: number, step: number) {
    const all = bytesOf(this.values, this.proof.carried, { rank, phase, step });
    const found = this.proof.plans[rank][phase].steps[step];
    if (found.part) return cut(found, all(0), this.#parts);
    let bytes = 0;
    for (let k = 0; k < countOf(found); k++) bytes += all(k);
    return { begin: 0, bytes };
  }
}

/** Name of the buffer of coded rows that a phase sends, or receives. */
export const wireName = ({ scratch }: SliceValues, phase: number, side: "send" | "receive") =>
  `${scratch}.${phase}.${side === "send" ? "sent" : "came"}`;

type Carried = CollectiveProof["carried"];
type Place = Parameters<Carried>[0];

const countOf = (step: Step | Reduce): number =>
  (step.kind === "copy" || step.kind === "send" ? step.from : step.to).count ?? 1;

/** Bytes of the slices that a step moves; none where no output depends on them. */
function bytesOf({ bytes }: SliceValues, carried: Carried, at: Place) {
  return (k: number) => {
    const value = carried(at, k);
    return value ? bytes(...value) : 0;
  };
}

/** Where each slice of a rank begins in its buffer, and where the last one ends. */
type Offsets = Readonly<Record<Slice["buffer"], readonly number[]>>;

/** @throws {SchemoeError} when a slot of scratch holds slices of different sizes. */
function offsetsOf(
  values: SliceValues,
  collective: Collective,
  { plans, carried }: Pick<CollectiveProof, "plans" | "carried">,
): Offsets[] {
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
        const bytes = bytesOf(values, carried, { rank, phase, step: number });
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
      input: added(list(collective.inputs(rank), (i) => values.bytes(rank, i))),
      output: added(
        list(collective.outputs(rank), (i) => values.bytes(...collective.terms(rank, i)[0])),
      ),
      scratch: added(held),
    };
  });
}
