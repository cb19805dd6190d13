/** Times of single kernels on one GPU. @module */
import type { Engine, Workspace } from "../../engine.ts";
import { GraphBuilder } from "../../graph/mod.ts";
import { buildProgram } from "../../program/mod.ts";
import { topology } from "../../topology.ts";
import type { Kernel, View } from "../../types.ts";
import { hundredths, median, type Row } from "./report.ts";

/** Runs of each kernel, after three that warm up. */
export const REPETITIONS = 20;

/** One rank on one GPU. */
export const world = topology({ nodes: 1, ranksPerNode: 1 });

/** The beginning of a buffer. */
export const at = (buffer: string): View => ({ buffer, offset: 0 });

/** The peer of other kernels: reads `bytes` and writes as many. */
export const copyBytes = (bytes: number, from = at("a"), to = at("b")): Kernel => ({
  name: "copy_bytes",
  args: [bytes, from, to],
});

/** The median of a kernel's times on the GPU, in nanoseconds. */
export async function timeOf(engine: Engine, workspace: Workspace, ...kernels: readonly Kernel[]) {
  const program = programOf([kernels]);
  const times: number[] = [];
  for (let i = 0; i < REPETITIONS + 3; i++) {
    const { start, end } = await engine.run(program, workspace);
    if (i >= 3) times.push(end[0] - start[0]);
  }
  return median(times);
}

/** One kernel that has to move so many bytes, and a copy that reads and writes as many in all. */
export async function besideCopy(
  engine: Engine,
  workspace: Workspace,
  bytes: number,
  kernel: Kernel,
): Promise<Row> {
  const copy = await timeOf(engine, workspace, copyBytes(Math.ceil(bytes / 8) * 4));
  const time = await timeOf(engine, workspace, kernel);
  return {
    mb: hundredths(bytes / 1e6),
    us: hundredths(time / 1e3),
    copyUs: hundredths(copy / 1e3),
    ofCopy: hundredths(copy / time),
  };
}

/** Terabytes a second of one kernel. */
export const rate = async (
  engine: Engine,
  workspace: Workspace,
  bytes: number,
  kernel: Kernel,
): Promise<number> => bytes / await timeOf(engine, workspace, kernel) / 1e3;

/** Tasks one after another. */
export function programOf(tasks: readonly (readonly Kernel[])[]) {
  const g = new GraphBuilder(world, "forward", 1);
  for (const [i, kernels] of tasks.entries()) {
    g.add({
      kind: "opaque",
      label: `k${i}`,
      chunk: -1,
      stage: i,
      after: [],
      kernels: () => kernels,
    });
  }
  const graph = g.build({});
  return buildProgram(graph, graph.tasks, "in order");
}
