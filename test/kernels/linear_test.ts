import { assertEquals, assertThrows } from "@std/assert";
import { columnSum, gemm, glu } from "../../lib/kernels/mod.ts";
import type { Matrix, RowRange } from "../../lib/kernels/types.ts";
import { SchemoeError } from "../../lib/types.ts";

const ranges: readonly RowRange[] = [{ first: 0, rows: 3 }, { first: 5, rows: 2 }];
const ragged = (buffer: string, columns: number, others: Partial<Matrix> = {}): Matrix => ({
  buffer,
  offset: 0,
  rows: 5,
  columns,
  ld: columns,
  groups: 2,
  stride: NaN,
  ranges,
  ...others,
});
const even = (buffer: string, rows: number, columns: number): Matrix => ({
  buffer,
  offset: 0,
  rows,
  columns,
  ld: columns,
  groups: 2,
  stride: rows * columns,
});

Deno.test("gemm() takes ragged rows as those of a and c, or with transA of a and b", () => {
  const there = gemm(ragged("x", 4), even("w", 4, 6), ragged("y", 6));
  assertEquals(there.name, "gemm_groups");
  assertEquals(there.args.slice(5, 8), [5, 6, 4]);
  assertEquals(there.more, Int32Array.of(0, 3, 5, 2));
  const weights = gemm(ragged("x", 4), ragged("dy", 6), even("dw", 4, 6), { transA: true });
  assertEquals(weights.name, "gemm_groups");
  assertEquals(weights.args.slice(5, 8), [4, 6, 5]);
  assertEquals(gemm(even("x", 5, 4), even("w", 4, 6), even("y", 5, 6)).name, "gemm");
});

Deno.test("kernels reject ragged matrices that do not fit each other", () => {
  const rejects = (call: () => unknown, message: string) =>
    assertThrows(call, SchemoeError, message);
  const others = [{ first: 0, rows: 2 }, { first: 5, rows: 3 }];
  rejects(
    () => gemm(ragged("x", 4), even("w", 4, 6), ragged("y", 6, { ranges: others })),
    'the groups of "x" and "y" have other rows',
  );
  rejects(
    () => gemm(ragged("x", 4), even("w", 4, 6), even("y", 5, 6)),
    'the groups of "x" and "y" have other rows',
  );
  rejects(
    () => gemm(even("x", 5, 4), ragged("w", 6, { rows: 4 }), even("y", 5, 6)),
    '"w" does not fit',
  );
  rejects(
    () => gemm(ragged("x", 4), ragged("dy", 6), ragged("dw", 6, { rows: 4 }), { transA: true }),
    '"dw" does not fit',
  );
  rejects(
    () => glu(ragged("a", 4), ragged("b", 4, { ranges: others }), ragged("y", 4), "silu"),
    'the groups of "a" and "b" have other rows',
  );
});

Deno.test("columnSum() of ragged rows names the rows of each group", () => {
  const { more } = columnSum(ragged("x", 4), even("sum", 1, 4));
  assertEquals(more, Int32Array.of(0, 3, 5, 2));
  assertEquals(columnSum(even("x", 5, 4), even("sum", 1, 4)).args.length, 10);
});
