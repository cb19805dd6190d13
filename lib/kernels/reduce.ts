/** Kernels that reduce what several ranks sent, in rank order. @module */
import type { Kernel, View } from "../types.ts";
import { typeCode } from "./linear.ts";
import type { ElementType } from "./types.ts";

/** `out[i]` = sum over ranks in order of `parts[rank * stride + i]`, added in float32; default `dtype` float32. */
export function sumRanks(
  { ranks, count, stride, parts, out, dtype = "float32" }: {
    ranks: number;
    count: number;
    stride: number;
    parts: View;
    out: View;
    dtype?: ElementType;
  },
): Kernel {
  const args = [ranks, count, stride, parts, out];
  return dtype === "float32"
    ? { name: "sum_ranks", args }
    : { name: "sum_ranks", args, more: Int32Array.of(typeCode(dtype)) };
}

/** Largest of one int32 of each rank. */
export const maxRanks = (ranks: number, parts: View, out: View): Kernel => ({
  name: "max_ranks",
  args: [ranks, parts, out],
});
