/** Random numbers that every engine makes alike. @module */
import { aNumber, aSize, aView, expect, record } from "../arguments/mod.ts";
import type { ElementType } from "./types.ts";
import type { Kernel, View } from "../types.ts";
import { typeCode } from "./linear.ts";

const FILL_NORMAL_OF = record("{ count, first, seed, stream, scale, out }", {
  count: aSize,
  first: aSize,
  seed: aNumber,
  stream: aNumber,
  scale: aNumber,
  out: aView,
});

/**
 * Fills `count` elements with standard normal numbers times `scale`. Element i is a pure function of
 * (seed, stream, first + i), so that a tensor is the same however it is split over ranks and calls, and
 * on every engine bit for bit; bfloat16 is the float32 number rounded to nearest even. Numbers come from
 * Philox4x32-10 (Salmon et al., SC'11) and the Box-Muller transform; `schemoe.h` has the formula.
 *
 * Integers are from 0 to 2^53 - 1. Give each tensor a stream of its own.
 *
 * ```ts
 * import { fillNormal } from "@schemoe/lab/kernels";
 * const out = { buffer: "experts.w1", offset: 0 };
 * const kernel = fillNormal({ count: 1024, first: 0, seed: 1, stream: 7, scale: 0.02, out });
 * console.assert(kernel.name === "random_normal");
 * ```
 */
export function fillNormal(of: {
  /** Default float32. */
  dtype?: ElementType;
  count: number;
  first: number;
  seed: number;
  stream: number;
  scale: number;
  out: View;
}): Kernel {
  expect("fillNormal", "of", of, FILL_NORMAL_OF);
  const { dtype, count, first, seed, stream, scale, out } = of;
  return { name: "random_normal", args: [typeCode(dtype), count, first, seed, stream, out, scale] };
}
