/** Overhead of a run on a GPU beside its kernels: enqueueing, recording, and the way from here and back. @module */
import { type CudaOptions, openCudaEngine } from "../../engines/mod.ts";
import { GraphBuilder } from "../../graph/mod.ts";
import { buildProgram } from "../../program/mod.ts";
import { topology } from "../../topology.ts";
import type { Engine, Program, Workspace } from "../../engine.ts";
import type { Kernel } from "../../types.ts";
import { hundredths, median, type Report, type Row } from "./report.ts";

const REPETITIONS = 30;
const WARM_UP = 5;
const MIB = 1 << 20;

const world = topology({ nodes: 1, ranksPerNode: 1 });

/** Ways to run a Program, by the options of the engine. */
const WAYS: Readonly<Record<string, Partial<CudaOptions>>> = {
  graph: {},
  enqueued: { graphs: false },
  "graph, no times": { times: false },
  "enqueued, no times": { graphs: false, times: false },
};

/** Programs of copies one after another; bytes make the long ones last more than 10 ms. */
const PROGRAMS = [
  { name: "1 kernel", operations: 1, kernels: 1, mib: 0 },
  { name: "100 operations of a kernel", operations: 100, kernels: 1, mib: 0 },
  { name: "2000 operations of a kernel", operations: 2000, kernels: 1, mib: 0 },
  { name: "an operation of 2000 kernels", operations: 1, kernels: 2000, mib: 0 },
  { name: "over 10 ms, 10 operations", operations: 10, kernels: 1, mib: 2048 },
  { name: "over 10 ms, 100 operations", operations: 100, kernels: 1, mib: 256 },
  { name: "over 10 ms, 1000 operations", operations: 1000, kernels: 1, mib: 32 },
] as const;

/** Times of each Program in each way, taken in turn, by the clock of this process and by the GPU's. */
export async function benchGpuRuns(): Promise<Report> {
  const engines = Object.entries(WAYS).map(([way, options]) => {
    const engine = openCudaEngine({ topology: world, ...options });
    const workspace = engine.workspace();
    workspace.ensure({ a: 2048 * MIB, b: 2048 * MIB });
    return { way, engine, workspace };
  });
  try {
    const rows: Row[] = [];
    for (const { name, operations, kernels, mib } of PROGRAMS) {
      const kernel: Kernel = {
        name: "copy_bytes",
        args: [mib ? mib * MIB : 4, { buffer: "a", offset: 0 }, { buffer: "b", offset: 0 }],
      };
      const program = inOrder(operations, new Array<Kernel>(kernels).fill(kernel));
      rows.push(...await measure(name, program, engines, operations * kernels));
    }
    return { configuration: { kernel: "copy_bytes", repetitions: REPETITIONS }, rows };
  } finally {
    for (const { engine } of engines) engine.close();
  }
}

interface Opened {
  readonly way: string;
  readonly engine: Engine;
  readonly workspace: Workspace;
}

async function measure(
  name: string,
  program: Program,
  engines: readonly Opened[],
  kernels: number,
): Promise<Row[]> {
  const wall = engines.map((): number[] => []);
  const gpu = engines.map((): number[] => []);
  for (let i = -WARM_UP; i < REPETITIONS; i++) {
    for (const [e, { engine, workspace }] of engines.entries()) {
      const begin = performance.now();
      const { end } = await engine.run(program, workspace);
      const took = performance.now() - begin;
      if (i < 0) continue;
      wall[e].push(1e3 * took);
      gpu[e].push(end.at(-1)! / 1e3);
    }
  }
  return engines.map(({ way }, e) => {
    const without = engines.findIndex((other) => other.way === `${way}, no times`);
    return {
      program: name,
      way,
      wallUs: hundredths(median(wall[e])),
      wallUsPerKernel: hundredths(median(wall[e]) / kernels),
      ...(without < 0 ? {} : {
        gpuUs: hundredths(median(gpu[e])),
        recordingPercent: hundredths(100 * (median(wall[e]) / median(wall[without]) - 1)),
      }),
    };
  });
}

function inOrder(operations: number, kernels: readonly Kernel[]): Program {
  const g = new GraphBuilder(world, "forward", 1);
  for (let i = 0; i < operations; i++) {
    const chunk = -1;
    g.add({ kind: "opaque", label: `k${i}`, chunk, stage: i, after: [], kernels: () => kernels });
  }
  const graph = g.build({});
  return buildProgram(graph, graph.tasks, "in order");
}
