/** Kernels that reduce what several ranks sent, in rank order. @module */
import type { Kernel, View } from "../types.ts";

/** `out[i]` = sum over ranks in order of `parts[rank * stride + i]`, float32. */
export function sumRanks(
  { ranks, count, stride, parts, out }: {
    ranks: number;
    count: number;
    stride: number;
    parts: View;
    out: View;
  },
): Kernel {
  return { name: "sum_ranks", args: [ranks, count, stride, parts, out] };
}

/** Largest of one int32 of each rank. */
export const maxRanks = (ranks: number, parts: View, out: View): Kernel => ({
  name: "max_ranks",
  args: [ranks, parts, out],
});
