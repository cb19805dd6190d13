/** Looking at numbers that host functions write. @module */
import type { Kernel } from "../types.ts";
import { typeCode } from "./linear.ts";
import type { Matrix } from "./types.ts";

/**
 * Notes the first element that is NaN or infinite, in a run with `checkNumbers`; other runs leave it out. What
 * native kernels write is looked at anyway, what a {@linkcode host} kernel writes only by this.
 */
export function checkNumbers(m: Matrix): Kernel {
  const ranges = (m.ranges ?? []).flatMap(({ first, rows }) => [first, rows]);
  const sizes = [typeCode(m.dtype), m.groups, m.rows, m.columns];
  const view = { buffer: m.buffer, offset: m.offset };
  return {
    name: "check_numbers",
    args: [...sizes, view, m.ld, m.ranges ? 0 : m.stride, ...ranges],
  };
}

/** Kernels with checks of what they leave, where a host function is among them. */
export function checked(
  kernels: readonly Kernel[],
  results: readonly Matrix[],
): readonly Kernel[] {
  // Somebody else's, of which the caller says what is wrong.
  if (!Array.isArray(kernels) || !kernels.some((kernel) => kernel?.name === "host")) return kernels;
  return [...kernels, ...results.map(checkNumbers)];
}
