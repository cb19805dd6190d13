/** The sum over ranks of gradients that travel encoded, with what was lost given back the next time. @module */
import type { Compressor } from "../compressors/types.ts";
import { completeExchange } from "../costs/mod.ts";
import { add, decodeRows, encodeRows, fill, sgdUpdate, sumRanks } from "../kernels/mod.ts";
import type { Task, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { exchange, type Place, widestLane } from "./reduce.ts";
import { wireBytes } from "./wire.ts";

const WORD = 4;
/** Gradients as a codec sees them: rows of so many. */
const COLUMNS = 128;

/** Numbers that an update reads. */
const RATES = 3;

/** Values that a rank sends to each other one, in whole rows. */
const shareOf = (count: number, ranks: number): number =>
  COLUMNS * Math.ceil(count / ranks / COLUMNS);

/** Values of the memory that a rank keeps for a sum of `count`. */
export const codedRoom = (count: number, ranks: number): number => ranks * shareOf(count, ranks);

/** What is summed, and how it travels. */
export interface CodedSum {
  readonly part: View;
  readonly sum: View;
  readonly count: number;
  /** A native codec. */
  readonly codec: Compressor;
  /** `codedRoom` values of a rank that outlive the step, zero at first. */
  readonly lost: View;
}

/**
 * Sum over ranks of float32 `part` [count] into `sum`. Each rank encodes its part, with what the codec lost of it in the
 * steps before, in shares for the others; these decode and add up in rank order, and send their sums to all as they are,
 * so that all ranks have the same. What a rank's codec lost is then `lost` (error feedback: Seide et al., Interspeech 2014).
 */
export function addCodedReduce(g: GraphBuilder, place: Place, of: CodedSum): Task {
  const { ranks } = g.topology;
  const { name, stage, chunk, after } = place;
  const { part, sum, count, codec, lost } = of;
  const share = shareOf(count, ranks);
  const room = ranks * share;
  const rows = share / COLUMNS;
  const blockBytes = wireBytes(codec, { rows, columns: COLUMNS, groups: [rows] });
  const begin = (rank: number) => Math.min(rank * share, count);
  const size = (rank: number) => begin(rank + 1) - begin(rank);
  const buffer = (what: string, bytes: number) => g.buffer(`${name}.${what}`, bytes, "pass");
  const wire = buffer("wire", ranks * blockBytes), arrived = buffer("arrived", ranks * blockBytes);
  const shares = buffer("shares", WORD * room), ones = buffer("ones", WORD * RATES);
  const at = (view: View, bytes: number): View => ({ ...view, offset: view.offset + bytes });
  const floats = (view: View) => ({ view, block: share, group: 0, row: COLUMNS });
  const coded = (view: View) => ({
    ...{ codec: codec.native!, view, blocks: ranks, groups: 1, rows, columns: COLUMNS },
    blockBytes,
  });
  const lane = widestLane(g.topology);
  const encoded = g.add({
    ...{ kind: "gate", label: "code", name: `${name} code`, chunk, stage, after },
    flops: 2 * count,
    bytes: 6 * WORD * room + 2 * ranks * blockBytes,
    uses: [part, lost, wire, shares, ones],
    kernels: () => [
      add(count, part, lost, lost),
      encodeRows(floats(lost), coded(wire)),
      decodeRows(floats(shares), coded(wire)),
      fill(RATES, ones, 1),
      // lost = lost - 1 * decoded
      sgdUpdate(
        room,
        { parameter: lost, gradient: shares, velocity: shares, clip: ones, rates: ones },
        0,
      ),
    ],
  });
  const scatter = g.add({
    ...{ kind: "allReduce", label: "AR1", name: `${name} AR1`, chunk, stage: stage + 1, lane },
    after: [encoded],
    uses: [wire, arrived],
    traffic: { pattern: completeExchange(g.topology, { copied: 1 }), sliceBytes: blockBytes },
    transfers: (rank) =>
      exchange(ranks, rank, {
        send: (peer) => [at(wire, peer * blockBytes), blockBytes],
        receive: (peer) => [at(arrived, peer * blockBytes), blockBytes],
      }),
  });
  const added = g.add({
    ...{ kind: "gate", label: "sum", name: `${name} sum`, chunk, stage: stage + 2 },
    after: [scatter],
    flops: count,
    bytes: 2 * WORD * room + ranks * blockBytes,
    uses: [arrived, shares, sum],
    kernels: (rank) => {
      if (size(rank) === 0) return [];
      const out = at(sum, WORD * begin(rank));
      return [
        decodeRows(floats(shares), coded(arrived)),
        sumRanks({ ranks, count: size(rank), stride: share, parts: shares, out }),
      ];
    },
  });
  return g.add({
    ...{ kind: "allReduce", label: "AR2", name: `${name} AR2`, chunk, stage: stage + 3, lane },
    after: [added],
    uses: [sum],
    traffic: { pattern: completeExchange(g.topology, { copied: 0 }), sliceBytes: WORD * share },
    transfers: (rank) =>
      exchange(ranks, rank, {
        send: () => [at(sum, WORD * begin(rank)), WORD * size(rank)],
        receive: (peer) => [at(sum, WORD * begin(peer)), WORD * size(peer)],
        own: false,
      }),
  });
}
