/** Short words to write all-to-all plans with. @module */
import type { Reduce, Slice, Step } from "./types.ts";

/** Names a slice, or `count` consecutive ones from `index` on. */
export type SliceOf = (index: number, count?: number) => Slice;

const slice = (buffer: Slice["buffer"]) => (index: number, count = 1): Slice => ({
  buffer,
  index,
  count,
});

/** Input slices of a rank: slice j is for rank j. */
export const input: SliceOf = slice("input");
/** Output slices of a rank: slice i is from rank i. */
export const output: SliceOf = slice("output");
/** Slices of scratch memory, as many as the plan names. */
export const scratch: SliceOf = slice("scratch");

/** Copies slices inside a rank. */
export const copy = (from: Slice, to: Slice): Step => ({ kind: "copy", from, to });
/** Sends slices to a rank, whose k-th receive from this one in the phase meets the k-th send. */
export const send = (from: Slice, peer: number): Step => ({ kind: "send", from, peer });
/** The other side of {@linkcode send}. */
export const receive = (to: Slice, peer: number): Step => ({ kind: "receive", to, peer });
/** Writes the sum of slices of a rank, in their order. */
export const reduce = (from: readonly Slice[], to: Slice): Reduce => ({ kind: "reduce", from, to });
