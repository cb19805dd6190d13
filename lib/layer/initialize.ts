/** Values that a tensor begins with, made where it lies. @module */
import { GraphBuilder } from "../graph/mod.ts";
import { fill, fillNormal, round } from "../kernels/mod.ts";
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
  { names, seed, scale = 1 }: {
    readonly names: readonly string[];
    readonly seed: number;
    /** Of all random values; default 1. */
    readonly scale?: number;
  },
): TaskGraph {
  const g = new GraphBuilder(topology, "forward", 0);
  const view = (name: string) => g.tensor(table, name);
  const kernelsOf = (rank: number, some: readonly string[]): Kernel[] =>
    some.map((name) => {
      const { dtype, deviation = 1, constant, like = name, roundOf } = table.get(name);
      const count = table.elementsOn(name, rank);
      if (roundOf !== undefined) return round(count, view(roundOf), view(name));
      if (constant !== undefined) return fill(count, view(name), constant);
      const first = table.firstElement(name, rank);
      return fillNormal({
        dtype: dtype === "bfloat16" ? dtype : "float32",
        count,
        first,
        seed,
        stream: streamOf(like),
        scale: scale * deviation,
        out: view(name),
      });
    });
  // what is rounded must have been made before
  const rounded = (name: string) => table.get(name).roundOf !== undefined;
  const sorted = [...names.filter((name) => !rounded(name)), ...names.filter(rounded)];
  const sources = names.flatMap((name) => table.get(name).roundOf ?? []);
  g.add({
    kind: "opaque",
    label: "initialize",
    chunk: -1,
    stage: 0,
    after: [],
    uses: [...new Set([...names, ...sources])].map(view),
    kernels: (rank) => kernelsOf(rank, sorted),
  });
  return g.build({});
}

/** A number for each name: FNV-1a. */
function streamOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash;
}
