/** Values that a tensor begins with, made where it lies. @module */
import { GraphBuilder } from "../graph/mod.ts";
import { fill, fillNormal } from "../kernels/mod.ts";
import type { TensorTable } from "../memory/mod.ts";
import type { Kernel, TaskGraph, Topology } from "../types.ts";

/**
 * A Program of one task: one value for all, or standard normal numbers times each tensor's deviation. A value depends on the seed,
 * on the tensor's name and on its index in the tensor over all ranks, so that it is the same on every engine
 * and on any number of ranks; see `fillNormal`.
 */
export function initialValues(
  topology: Topology,
  table: TensorTable,
  { names, seed }: { readonly names: readonly string[]; readonly seed: number },
): TaskGraph {
  const g = new GraphBuilder(topology, "forward", 0);
  const views = names.map((name) => g.tensor(table, name));
  const kernels = (rank: number): Kernel[] =>
    names.map((name, i) => {
      const { dtype, deviation = 1, constant } = table.get(name);
      const count = table.elementsOn(name, rank);
      if (constant !== undefined) return fill(count, views[i], constant);
      const first = table.firstElement(name, rank);
      return fillNormal({
        dtype: dtype === "bfloat16" ? dtype : "float32",
        count,
        first,
        seed,
        stream: streamOf(name),
        scale: deviation,
        out: views[i],
      });
    });
  g.add({
    kind: "opaque",
    label: "initialize",
    chunk: -1,
    stage: 0,
    after: [],
    uses: views,
    kernels,
  });
  return g.build({});
}

/** A number for each name: FNV-1a. */
export function streamOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash;
}
