import { assertAlmostEquals, assertEquals } from "@std/assert";
import { GraphBuilder } from "../../lib/graph/mod.ts";
import { activationGrad, gemm } from "../../lib/kernels/mod.ts";
import { workOf } from "../../lib/profile/mod.ts";
import { topology } from "../../mod.ts";

Deno.test("workOf() counts products in whole tiles, their operands and what is handled one by one", () => {
  const g = new GraphBuilder(topology({ nodes: 1, ranksPerNode: 1 }), "forward", 1);
  const matrix = (name: string, rows: number, columns: number) => ({
    ...g.buffer(name, 4 * 3 * rows * columns),
    ...{ groups: 3, rows, columns, ld: columns, stride: rows * columns },
  });
  const [a, b, c] = [matrix("a", 100, 50), matrix("b", 50, 130), matrix("c", 100, 130)];
  const flops = 2 * 3 * 100 * 50 * 130;
  const common = { kind: "opaque", chunk: -1, stage: 0, after: [], flops } as const;
  const product = g.add({
    ...common,
    label: "product",
    uses: [a, b, c],
    kernels: () => [gemm(a, b, c)],
  });
  const other = g.add({ ...common, label: "other" });
  const gradient = g.add({
    ...common,
    label: "gradient",
    uses: [c],
    kernels: (rank) => [gemm(a, b, c), ...rank ? [] : [activationGrad(c, c, c, "gelu")]],
  });
  const operands = 4 * 3 * (100 * 50 + 50 * 130 + 100 * 130);
  assertEquals(workOf(product, 0), [1, flops, product.bytes + operands, 0]);
  assertEquals(workOf(gradient, 0), [1, flops, gradient.bytes + operands, 3 * 100 * 130]);
  assertEquals(workOf(gradient, 1), [1, flops, gradient.bytes + operands, 0]);
  const [one, whole, bytes] = workOf(product, 0, 64);
  assertEquals([one, bytes], [1, product.bytes + operands]);
  assertAlmostEquals(whole, 2 * 3 * 128 * 50 * 192, 1e-3);
  assertAlmostEquals(workOf(product, 0, 128)[1], 2 * 3 * 128 * 50 * 256, 1e-3);
  assertEquals(workOf(other, 0, 64), [1, flops, other.bytes, 0]);
});
