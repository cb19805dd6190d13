/** Memory traffic that a kernel cannot do without. @module */
import { aText, expect, record, something } from "../arguments/mod.ts";
import type { Kernel } from "../types.ts";

const PRODUCT_BYTES_KERNEL = record("a kernel { name, args }", { name: aText, args: something });

const BYTES = [4, 2];

/**
 * Bytes of a matrix product: each factor read and the result written once (read too where it is added to);
 * 0 of other kernels. What caches cannot hold is read more often, so that this is the least.
 *
 * ```ts
 * import { gemm, productBytes } from "@schemoe/lab/kernels";
 * const matrix = (rows: number, columns: number) => ({
 *   ...{ buffer: "m", offset: 0, rows, columns, ld: columns, groups: 1, stride: rows * columns },
 * });
 * console.assert(productBytes(gemm(matrix(2, 3), matrix(3, 5), matrix(2, 5))) === 4 * (6 + 15 + 10));
 * ```
 */
export function productBytes(kernel: Kernel): number {
  expect("productBytes", "kernel", kernel, PRODUCT_BYTES_KERNEL);
  const { name, args } = kernel;
  if (name !== "gemm" && name !== "gemm_groups") return 0;
  const [factors, result, transA, , groups, m, n, k] = args as number[];
  const [a, b] = [[0, 0], [1, 1], [1, 0], [0, 1]][factors];
  const add = args[18] as number;
  const written = BYTES[result] * (add ? 2 : 1);
  // rows of groups that differ are counted all together: m of them, or k where they are summed over
  const of = name === "gemm"
    ? { a: groups, b: groups, c: groups }
    : transA
    ? { a: 1, b: 1, c: groups }
    : { a: 1, b: groups, c: 1 };
  return of.a * m * k * BYTES[a] + of.b * k * n * BYTES[b] + of.c * m * n * written;
}
