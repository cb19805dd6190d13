/** The sum over ranks of gradients that travel encoded, with what was lost given back the next time. @module */
import {
  aBuilder,
  aCount,
  aPlaceInGraph,
  aSize,
  aView,
  expect,
  oneOf,
  record,
  something,
} from "../arguments/mod.ts";
import type { Compressor } from "../compressors/types.ts";
import { completeExchange } from "../costs/mod.ts";
import { add, decodeRows, encodeRows, fill, sgdUpdate, sumRanks } from "../kernels/mod.ts";
import type { Kernel, Task, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { widestLane } from "./levels.ts";
import { exchange, type Place } from "./reduce.ts";
import { wireBytes } from "./wire.ts";

const ADD_CODED_REDUCE_OF = record("a sum { part, sum, count, codecs, lost }", {
  part: aView,
  sum: aView,
  count: aSize,
  codecs: something,
  lost: something,
});
const CODED_ROOM_HALF = oneOf(["reduceScatter", "allGather"]);

const WORD = 4;
/** Gradients as a codec sees them: rows of so many. */
const COLUMNS = 128;

/** Numbers that an update reads. */
const RATES = 3;

/** Values that a rank sends to each other one, in whole rows. */
const shareOf = (count: number, ranks: number): number =>
  COLUMNS * Math.ceil(count / ranks / COLUMNS);

/** The native codec of each half of an all-reduce; a half without one sends values as they are. */
export interface ReduceCodecs {
  /** Of a rank's own gradients, on their way to the ranks that add them up. */
  readonly reduceScatter?: Compressor;
  /** Of the sums, on their way to all ranks. */
  readonly allGather?: Compressor;
}

/** The halves of an all-reduce. */
export type Half = keyof ReduceCodecs;

/** Values that a rank keeps of what the codec of a half loses of `count`: of all shares, and of its own sum. */
export function codedRoom(half: Half, count: number, ranks: number): number {
  expect("codedRoom", "half", half, CODED_ROOM_HALF);
  expect("codedRoom", "count", count, aSize);
  expect("codedRoom", "ranks", ranks, aCount);
  return (half === "reduceScatter" ? ranks : 1) * shareOf(count, ranks);
}

/** What is summed, and how it travels. */
export interface CodedSum {
  /** [count] float32: what a rank adds. */
  readonly part: View;
  /** [count] float32: where each rank gets the sum. */
  readonly sum: View;
  /** Values that are summed. */
  readonly count: number;
  /** Codec of each half; a half without one travels as float32. */
  readonly codecs: ReduceCodecs;
  /** For each coded half `codedRoom` values of a rank that outlive the step, zero at first. */
  readonly lost: Readonly<Partial<Record<Half, View>>>;
}

/**
 * Sum over ranks of float32 `part` [count] into `sum`, in two halves, each with a codec or none. Each rank sends its part
 * in shares to the ranks that add them up in rank order, and these send their sums to all. All ranks take the sums as
 * they arrive, the one that made a sum too, so that all have the same.
 *
 * What a codec lost is added to what it gets the next time (error feedback: Seide et al., Interspeech 2014): with
 * `reduceScatter` each rank keeps what was lost of its own gradients, with `allGather` what was lost of the sum that it
 * makes (both as in Tang et al., "DoubleSqueeze", ICML 2019).
 */
export function addCodedReduce(g: GraphBuilder, place: Place, of: CodedSum): Task {
  expect("addCodedReduce", "g", g, aBuilder);
  expect("addCodedReduce", "place", place, aPlaceInGraph);
  expect("addCodedReduce", "of", of, ADD_CODED_REDUCE_OF);
  const sum = new CodedReduce(g, place, of);
  const scattered = sum.scatter();
  return sum.gather(sum.add(scattered));
}

const at = (view: View, bytes: number): View => ({ ...view, offset: view.offset + bytes });

class CodedReduce {
  readonly #share: number;
  readonly #shares: View;
  readonly #ones: View;

  constructor(readonly g: GraphBuilder, readonly place: Place, readonly of: CodedSum) {
    this.#share = shareOf(of.count, g.topology.ranks);
    this.#shares = this.#buffer("shares", WORD * g.topology.ranks * this.#share);
    this.#ones = this.#buffer("ones", WORD * RATES);
  }

  /** All shares to the ranks that add them up. */
  scatter(): Task {
    const { g, of: { part, count, codecs: { reduceScatter: codec }, lost } } = this;
    const { ranks } = g.topology;
    if (!codec) {
      return this.#exchange("AR1", 1, this.place.after, {
        uses: [part, this.#shares],
        bytes: WORD * this.#share,
        copied: 1,
        send: (_, peer) => [at(part, WORD * this.#begin(peer)), WORD * this.#size(peer)],
        receive: (
          rank,
          peer,
        ) => [at(this.#shares, WORD * peer * this.#share), WORD * this.#size(rank)],
      });
    }
    const bytes = this.#blockBytes(codec);
    const wire = this.#buffer("wire", ranks * bytes), arrived = this.#arrived(codec);
    const memory = lost.reduceScatter!;
    const encoded = g.add({
      ...this.#named("code", 0),
      ...{ kind: "gate", after: this.place.after, flops: 2 * count },
      bytes: 6 * WORD * ranks * this.#share + 2 * ranks * bytes,
      uses: [part, memory, wire, this.#shares, this.#ones],
      kernels: () => [
        add(count, part, memory, memory),
        ...this.#code({ codec, blocks: ranks, memory, wire, decoded: this.#shares }),
      ],
    });
    return this.#exchange("AR1", 1, [encoded], {
      ...{ uses: [wire, arrived], bytes, copied: 1 },
      send: (_, peer) => [at(wire, peer * bytes), bytes],
      receive: (_, peer) => [at(arrived, peer * bytes), bytes],
    });
  }

  /** The sum of each rank's share, encoded where the other half is. */
  add(after: Task): Task {
    const { g, of: { sum, count, codecs: { reduceScatter, allGather }, lost } } = this;
    const { ranks } = g.topology;
    const shares = this.#shares, stride = this.#share;
    const arrived = reduceScatter ? this.#arrived(reduceScatter) : undefined;
    const own = allGather ? this.#buffer("own", WORD * stride) : undefined;
    const sums = allGather ? this.#buffer("sums.wire", this.#blockBytes(allGather)) : undefined;
    const memory = lost.allGather;
    const coded = (rank: number): Kernel[] => {
      if (!allGather) return [];
      const kernels = this.#size(rank) ? [add(this.#size(rank), own!, memory!, memory!)] : [];
      const block = { codec: allGather, blocks: 1, memory: memory!, wire: sums!, decoded: own! };
      return [...kernels, ...this.#code(block)];
    };
    const bytes = (codec: Compressor | undefined, times: number) =>
      codec ? times * this.#blockBytes(codec) : 0;
    return g.add({
      ...this.#named("sum", 2),
      ...{ kind: "gate", after: [after], flops: (allGather ? 3 : 1) * count },
      bytes: (2 * ranks + (allGather ? 6 : 0)) * WORD * stride + bytes(reduceScatter, ranks) +
        bytes(allGather, 2),
      uses: [arrived, own, sums, memory, shares, allGather ? this.#ones : sum]
        .filter((view) => view !== undefined),
      kernels: (rank) => {
        const out = own ?? at(sum, WORD * this.#begin(rank));
        const size = this.#size(rank);
        const decoded = reduceScatter
          ? [decodeRows(this.#floats(shares), this.#blocks(reduceScatter, ranks, arrived!))]
          : [];
        return [
          ...(own ? [fill(stride, own, 0)] : []),
          ...(size
            ? [...decoded, sumRanks({ ranks, count: size, stride, parts: shares, out })]
            : []),
          ...coded(rank),
        ];
      },
    });
  }

  /** The sums to all ranks. */
  gather(after: Task): Task {
    const { g, of: { sum, count, codecs: { allGather: codec } } } = this;
    const { ranks } = g.topology;
    if (!codec) {
      return this.#exchange("AR2", 3, [after], {
        ...{ uses: [sum], bytes: WORD * this.#share, copied: 0 },
        send: (rank) => [at(sum, WORD * this.#begin(rank)), WORD * this.#size(rank)],
        receive: (_, peer) => [at(sum, WORD * this.#begin(peer)), WORD * this.#size(peer)],
      });
    }
    const bytes = this.#blockBytes(codec);
    const sums = this.#buffer("sums.wire", bytes);
    const arrived = this.#buffer("sums.arrived", ranks * bytes);
    const exchanged = this.#exchange("AR2", 3, [after], {
      ...{ uses: [sums, arrived], bytes, copied: 1 },
      send: () => [sums, bytes],
      receive: (_, peer) => [at(arrived, peer * bytes), bytes],
    });
    return g.add({
      ...this.#named("decode", 4),
      ...{ kind: "gate", after: [exchanged] },
      bytes: 3 * WORD * ranks * this.#share + ranks * bytes,
      uses: [arrived, this.#shares, sum],
      kernels: () => [
        decodeRows(this.#floats(this.#shares), this.#blocks(codec, ranks, arrived)),
        // a copy: one part alone
        sumRanks({ ranks: 1, count, stride: count, parts: this.#shares, out: sum }),
      ],
    });
  }

  /** Encodes what is to be sent with what was lost before, which is in `memory`, and leaves there what is lost now. */
  #code({ codec, blocks, memory, wire, decoded }: {
    readonly codec: Compressor;
    readonly blocks: number;
    readonly memory: View;
    readonly wire: View;
    readonly decoded: View;
  }): Kernel[] {
    const ones = this.#ones;
    return [
      encodeRows(this.#floats(memory), this.#blocks(codec, blocks, wire)),
      decodeRows(this.#floats(decoded), this.#blocks(codec, blocks, wire)),
      fill(RATES, ones, 1),
      // memory = memory - 1 * decoded
      sgdUpdate(
        blocks * this.#share,
        { parameter: memory, gradient: decoded, velocity: decoded, clip: ones, rates: ones },
        0,
      ),
    ];
  }

  #exchange(label: string, stage: number, after: readonly Task[], how: {
    readonly uses: readonly View[];
    readonly bytes: number;
    /** Whether a rank's own slice is copied. */
    readonly copied: 0 | 1;
    readonly send: (rank: number, peer: number) => [View, number];
    readonly receive: (rank: number, peer: number) => [View, number];
  }): Task {
    const { topology } = this.g;
    const { uses, bytes, copied, send, receive } = how;
    const everyone = Array.from({ length: topology.ranks }, (_, rank) => rank);
    return this.g.add({
      ...this.#named(label, stage),
      ...{ kind: "allReduce", lane: widestLane(topology), after, uses },
      traffic: { pattern: completeExchange(topology, { copied }), sliceBytes: bytes },
      transfers: (rank) =>
        exchange(everyone, rank, {
          send: (peer) => send(rank, peer),
          receive: (peer) => receive(rank, peer),
          own: copied === 1,
        }),
    });
  }

  #named(label: string, stage: number) {
    const { name, chunk, stage: first } = this.place;
    return { label, name: `${name} ${label}`, chunk, stage: first + stage };
  }

  #buffer(what: string, bytes: number): View {
    return this.g.buffer(`${this.place.name}.${what}`, bytes, "pass");
  }

  #arrived = (codec: Compressor): View =>
    this.#buffer("arrived", this.g.topology.ranks * this.#blockBytes(codec));

  #begin = (rank: number): number => Math.min(rank * this.#share, this.of.count);
  #size = (rank: number): number => this.#begin(rank + 1) - this.#begin(rank);

  get #rows(): number {
    return this.#share / COLUMNS;
  }

  #blockBytes = (codec: Compressor): number =>
    wireBytes(codec, { rows: this.#rows, columns: COLUMNS, groups: [this.#rows] });

  #floats = (view: View) => ({ view, block: this.#share, group: 0, row: COLUMNS });

  #blocks = (codec: Compressor, blocks: number, view: View) => ({
    ...{ codec: codec.native!, view, blocks, groups: 1, rows: this.#rows, columns: COLUMNS },
    blockBytes: this.#blockBytes(codec),
  });
}
