/** Small Programs for the tests of this folder. @module */
import { host } from "../../lib/kernels/mod.ts";
import type { HostFunction, Kernel, Topology } from "../../lib/types.ts";
import { topology } from "../../mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";

export const pair = topology({ nodes: 1, ranksPerNode: 2 });
export const slow = { alpha: 0, flopRate: 1, byteRate: 1 };

/** A Program of one compute task a list of kernels, each after the one before. */
export function chain(world: Topology, ...tasks: ((rank: number) => readonly Kernel[])[]) {
  return program(world, (g) => {
    let before: ReturnType<GraphBuilder["add"]>[] = [];
    for (const [i, kernels] of tasks.entries()) {
      before = [g.add({
        kind: "opaque",
        label: `work ${i}`,
        chunk: -1,
        stage: i,
        after: before,
        kernels,
      })];
    }
  });
}

export function program(world: Topology, make: (g: GraphBuilder) => void) {
  const g = new GraphBuilder(world, "forward", 1);
  for (const name of ["a", "b"]) g.buffer(name, 64);
  make(g);
  const graph = g.build({});
  return buildProgram(graph, graph.tasks, "test");
}

/** A Program whose only task calls a function on each rank. */
export function calling(world: Topology, run: HostFunction) {
  return program(world, (g) => {
    const kernel = host(run);
    g.add({
      kind: "opaque",
      label: "ask",
      chunk: -1,
      stage: 0,
      after: [],
      kernels: () => [kernel],
    });
  });
}

export const fill = (count: number, value: number, offset = 0): Kernel => ({
  name: "fill",
  args: [count, { buffer: "a", offset }, value],
});
export const floats = (bytes: Uint8Array<ArrayBuffer>) => [...new Float32Array(bytes.buffer)];
export const never = () => new Promise<void>(() => {});
