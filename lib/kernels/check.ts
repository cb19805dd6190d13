/** Looking at numbers that host functions and compiled sources write. @module */
import { aMatrix, expect } from "../arguments/mod.ts";
import type { Kernel } from "../types.ts";
import { typeCode } from "./linear.ts";
import type { Matrix } from "./types.ts";

/**
 * Notes the first element that is NaN or infinite, in a run with `checkNumbers`; other runs leave it out. What
 * native kernels write is looked at anyway, what a {@linkcode host} kernel or one of {@linkcode sourceKernels}
 * writes only by this.
 */
export function checkNumbers(m: Matrix): Kernel {
  expect("checkNumbers", "m", m, aMatrix);
  const ranges = (m.ranges ?? []).flatMap(({ first, rows }) => [first, rows]);
  const sizes = [typeCode(m.dtype), m.groups, m.rows, m.columns];
  const view = { buffer: m.buffer, offset: m.offset };
  return {
    name: "check_numbers",
    args: [...sizes, view, m.ld, m.ranges ?? m.counted ? 0 : m.stride, ...ranges],
    ...(m.counted ? { counted: m.counted } : {}),
  };
}

/** Kernels whose results nobody but their author knows. */
const UNKNOWN = ["host", "call_source"];

/** Kernels with checks of what they leave, where code of somebody else is among them. */
export function checked(
  kernels: readonly Kernel[],
  results: readonly Matrix[],
): readonly Kernel[] {
  // Somebody else's, of which the caller says what is wrong.
  if (!Array.isArray(kernels) || !kernels.some((one) => UNKNOWN.includes(one?.name))) {
    return kernels;
  }
  return [...kernels, ...results.map(checkNumbers)];
}
