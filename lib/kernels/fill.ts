/** The kernel that gives a buffer one value. @module */
import { anyNumber, aSize, aView, expect } from "../arguments/mod.ts";
import type { Kernel, View } from "../types.ts";

/** `count` float32 values. */
export function fill(count: number, out: View, value: number): Kernel {
  expect("fill", "count", count, aSize);
  expect("fill", "out", out, aView);
  expect("fill", "value", value, anyNumber);
  return {
    name: "fill",
    args: [count, out, value],
  };
}
