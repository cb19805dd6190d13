/** Kernels that reduce what several ranks sent, in rank order. @module */
import { aSize, aView, expect, listOf, numbersOf, record } from "../arguments/mod.ts";
import { type Kernel, SchemoeError, type View } from "../types.ts";
import { typeCode } from "./linear.ts";
import type { ElementType } from "./types.ts";

const SUM_RANKS_OF = record("{ ranks, count, stride, parts, out }", {
  ranks: aSize,
  count: aSize,
  stride: aSize,
  parts: aView,
  out: aView,
});
const ADD_SLICES_OF = record("{ unit, inputs, out, sums }", {
  unit: aSize,
  inputs: listOf(aView, "places"),
  out: aView,
  sums: listOf(
    record("a sum { count, to, from }", {
      count: aSize,
      to: aSize,
      from: listOf(numbersOf(aSize), "pairs [input, first]"),
    }),
    "sums",
  ),
});

/** `out[i]` = sum over ranks in order of `parts[rank * stride + i]`, added in float32; default `dtype` float32. */
export function sumRanks(of: {
  ranks: number;
  count: number;
  stride: number;
  parts: View;
  out: View;
  dtype?: ElementType;
}): Kernel {
  expect("sumRanks", "of", of, SUM_RANKS_OF);
  const { ranks, count, stride, parts, out, dtype = "float32" } = of;
  const args = [ranks, count, stride, parts, out];
  return dtype === "float32"
    ? { name: "sum_ranks", args }
    : { name: "sum_ranks", args, more: Int32Array.of(typeCode(dtype)) };
}

/** A sum of slices of equal length, in their order. */
export interface SliceSum {
  /** Values of a slice. */
  readonly count: number;
  /** First value of the sum in `out`. */
  readonly to: number;
  /** What is added: the number of its buffer among `inputs`, and its first value in there. */
  readonly from: readonly (readonly [input: number, first: number])[];
}

/** Largest number that a kernel has in a table. */
const MOST = 2 ** 31 - 1;

/**
 * All sums in one call: `((a + b) + c) ...`, each addition rounded to `dtype`. A sum may be written onto one of its own
 * slices.
 * @param of.unit values of which all lengths and places are multiples.
 * @param of.inputs at most three.
 * @throws {SchemoeError} for slices too far from the beginning of their buffer.
 */
export function addSlices(of: {
  readonly dtype?: ElementType;
  readonly unit: number;
  readonly inputs: readonly View[];
  readonly out: View;
  readonly sums: readonly SliceSum[];
}): Kernel {
  expect("addSlices", "of", of, ADD_SLICES_OF);
  const { dtype, unit, inputs, out, sums } = of;
  const table = sums.flatMap(({ count, to, from }) => [
    ...[count / unit, to / unit, from.length],
    ...from.map(([input, first]) => 4 * (first / unit) + input),
  ]);
  const far = table.find((number) => number > MOST);
  if (far !== undefined) {
    throw new SchemoeError(
      `Cannot add slices in units of ${unit} values: unit ${
        Math.floor(far / 4)
      } of a buffer is too far from its ` +
        "beginning; use more chunks",
    );
  }
  const [a, b = a, c = a] = inputs;
  return {
    name: "add_slices",
    args: [typeCode(dtype), unit, sums.length, a, b, c, out],
    more: Int32Array.from(table),
  };
}

/** Largest of one int32 of each rank. */
export function maxRanks(ranks: number, parts: View, out: View): Kernel {
  expect("maxRanks", "ranks", ranks, aSize);
  expect("maxRanks", "parts", parts, aView);
  expect("maxRanks", "out", out, aView);
  return {
    name: "max_ranks",
    args: [ranks, parts, out],
  };
}
