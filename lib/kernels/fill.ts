/** The kernel that gives a buffer one value. @module */
import type { Kernel, View } from "../types.ts";

/** `count` float32 values. */
export const fill = (count: number, out: View, value: number): Kernel => ({
  name: "fill",
  args: [count, out, value],
});
