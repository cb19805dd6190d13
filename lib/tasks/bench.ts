/**
 * Benchmarks; every line carries its configuration, and ratios are of one run.
 *
 * usage: deno task bench [--engine cpu|cuda] [--json] [NAME...]   (without names: all of that engine)
 * @module
 */
import { parseArgs } from "node:util";
import { SchemoeError } from "../types.ts";
import { benchAllToAll } from "./bench_all_to_all.ts";
import { benchAblation } from "./bench_ablation.ts";
import { benchEmulation } from "./bench_emulation.ts";
import { benchGpuKernels } from "./bench_gpu_kernels.ts";
import { benchGpuLayers } from "./bench_gpu_layers.ts";
import { benchGpuMemory } from "./bench_gpu_memory.ts";
import { benchGpuRuns } from "./bench_gpu_runs.ts";
import { benchExact } from "./bench_exact.ts";
import { benchOverlap } from "./bench_overlap.ts";
import { benchSimulate } from "./bench_simulate.ts";
import { type Benchmark, machine, print } from "./bench_report.ts";

/** All benchmarks by name. */
const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  overlap: benchOverlap,
  emulation: benchEmulation,
  allToAll: benchAllToAll,
  simulate: benchSimulate,
  exact: benchExact,
  ablation: benchAblation,
};

/** Benchmarks that need a GPU; `layers` needs PyTorch beside it. */
const GPU_BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  kernels: benchGpuKernels,
  layers: benchGpuLayers,
  runs: benchGpuRuns,
  memory: benchGpuMemory,
};

async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      engine: { type: "string", default: "cpu" },
    },
  });
  if (!["cpu", "cuda"].includes(values.engine)) {
    throw new SchemoeError(`Unknown engine "${values.engine}": choose from cpu, cuda`);
  }
  const benchmarks = values.engine === "cuda" ? GPU_BENCHMARKS : BENCHMARKS;
  const foreign = positionals.find((name) => !Object.hasOwn(benchmarks, name));
  if (foreign) {
    throw new SchemoeError(
      `Unknown benchmark "${foreign}": choose from ${Object.keys(benchmarks).join(", ")}`,
    );
  }
  const names = positionals.length ? positionals : Object.keys(benchmarks);
  for (const name of names) {
    print(name, await benchmarks[name](), { json: values.json, machine: machine() });
  }
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    console.error(`bench: ${(error as Error).message}`);
    Deno.exitCode = 1;
  }
}
