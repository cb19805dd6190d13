/**
 * Benchmarks; every line carries its configuration, and ratios are of one run.
 *
 * usage: deno task bench [--engine cpu|cuda] [--transport copy|nccl] [--nodes N] [--ranks-per-node R]
 *   [--emulate-nodes] [--gpus N | --devices LIST] [--max-ctas N] [--save FOLDER] [--seconds N]
 *   [--shapes LIST] [--json] [NAME...]
 *
 * Without names: all of that engine, and with `--transport nccl` those over NCCL. Unless told otherwise
 * these run 8 ranks on one GPU, on two emulated nodes (`orders`: one node). `--gpus N` runs one rank on
 * each of the first N GPUs that the process sees, on one node; with more ranks, given by `--nodes` and
 * `--ranks-per-node`, they are in blocks. `--devices 0,1,0,1` names the GPU of each rank; `--max-ctas`
 * limits NCCL's blocks on a GPU; `--save` keeps timelines of the comparison; `--seconds` is the time after
 * which the comparison leaves out codecs, and `golden` in two processes what is left.
 *
 * `--engine cuda --gpus N` without a transport runs the benchmarks of one process with a rank on each of
 * the first N GPUs, which choose transports themselves: those of the `--shapes` that are named (so do `layers`
 * and `fineLayers` on one GPU), none begun after `--seconds`. `layers` there runs
 * PyTorch too, a process a GPU. Layers of one GPU are timed beside ScatterMoE where it is installed, or in the folder that
 * `SCHEMOE_SCATTERMOE` names. Benchmarks over NCCL can be named there as well, with their options: `--gpus 8 golden
 * exchange`, or between two emulated nodes `--gpus 8 --nodes 2 --emulate-nodes schedules balancing`.
 * @module
 */
import { SchemoeError } from "../types.ts";
import { benchAllToAll } from "./bench/all_to_all.ts";
import { benchAblation } from "./bench/ablation.ts";
import { benchCurves } from "./bench/curves.ts";
import { benchCodecs } from "./bench/codecs.ts";
import { benchCopyOrders } from "./bench/copy_orders.ts";
import { benchEmulation } from "./bench/emulation.ts";
import { benchGpuCodecs } from "./bench/gpu_codecs.ts";
import { benchGpuGates } from "./bench/gpu_gates.ts";
import { benchGpuHost, benchSeveralHost } from "./bench/gpu_host.ts";
import { benchGpuKernels } from "./bench/gpu_kernels.ts";
import { benchGpuFineLayers, benchGpuLayers } from "./bench/gpu_layers.ts";
import { benchGpuMemory } from "./bench/gpu_memory.ts";
import { benchGpuRuns } from "./bench/gpu_runs.ts";
import { benchBalancing } from "./bench/balancing.ts";
import { benchExact } from "./bench/exact.ts";
import { benchHeadline, benchNcclHeadline } from "./bench/headline.ts";
import { benchFaults } from "./bench/faults.ts";
import { benchGpuReady } from "./bench/gpu_ready.ts";
import { benchOverlap } from "./bench/overlap.ts";
import { benchReady } from "./bench/ready.ts";
import { benchGpuRoutings, benchRoutings } from "./bench/routings.ts";
import { benchScale } from "./bench/scale.ts";
import { benchSeveralLayers } from "./bench/several_layers.ts";
import { benchSharedExpert } from "./bench/shared_expert.ts";
import { benchJoint } from "./bench/joint.ts";
import { benchModels } from "./bench/models.ts";
import { benchPlanning } from "./bench/planning.ts";
import { benchSizes } from "./bench/sizes.ts";
import { benchSimulate } from "./bench/simulate.ts";
import { benchStackMemory } from "./bench/stack_memory.ts";
import { benchNcclBalancing } from "./bench/nccl_balancing.ts";
import { benchNcclCodecs } from "./bench/nccl_codecs.ts";
import { benchNcclExchange } from "./bench/nccl_exchange.ts";
import { benchNcclFaults } from "./bench/nccl_faults.ts";
import { benchNcclGolden } from "./bench/nccl_golden.ts";
import { benchNcclOrders } from "./bench/nccl_orders.ts";
import { benchNcclOverlap } from "./bench/nccl_overlap.ts";
import { benchNcclSchedules } from "./bench/nccl_schedules.ts";
import { benchTrain } from "./bench/train.ts";
import { benchTrainGpus } from "./bench/train_gpus.ts";
import { benchTrainCpu } from "./bench/train_cpu.ts";
import {
  benchGpusTrust,
  benchGpuTrust,
  benchNcclTrust,
  benchPlainTrust,
  benchTrust,
} from "./bench/trust.ts";
import { benchGpuTune, benchNcclTune, benchTune } from "./bench/tune.ts";
import { BENCH_USAGE, type Cluster, parseBenchOptions, type SeveralGpus } from "./bench/options.ts";
import { type Benchmark, machine, print, type Report } from "./bench/report.ts";
import { taskArguments } from "./build/command.ts";

/** All benchmarks by name; `train` needs Debian's python3-torch for the model beside it. */
const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  overlap: benchOverlap,
  emulation: benchEmulation,
  allToAll: benchAllToAll,
  codecs: benchCodecs,
  sizes: benchSizes,
  balancing: benchBalancing,
  joint: benchJoint,
  planning: benchPlanning,
  scale: benchScale,
  models: benchModels,
  simulate: benchSimulate,
  exact: benchExact,
  ablation: benchAblation,
  sharedExpert: benchSharedExpert,
  ready: benchReady,
  routings: benchRoutings,
  stackMemory: benchStackMemory,
  train: benchTrainCpu,
  trust: benchTrust,
  plainTrust: benchPlainTrust,
  tune: benchTune,
  headline: benchHeadline,
  faults: () => benchFaults(),
};

/** Benchmarks that need a GPU; `layers` and `train` need PyTorch beside them, `curves` the text of `deno task text`. */
const GPU_BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  kernels: benchGpuKernels,
  codecs: benchGpuCodecs,
  gates: benchGpuGates,
  host: benchGpuHost,
  curves: benchCurves,
  train: benchTrain,
  runs: benchGpuRuns,
  memory: benchGpuMemory,
  ready: benchGpuReady,
  routings: benchGpuRoutings,
  trust: benchGpuTrust,
  tune: benchGpuTune,
};

/** Benchmarks on one GPU of shapes that may be named, beside PyTorch; their reports as they come. */
const SHAPED_GPU_BENCHMARKS: Readonly<
  Record<string, (shapes?: readonly string[]) => AsyncIterable<Report>>
> = { layers: benchGpuLayers, fineLayers: benchGpuFineLayers };

/** Benchmarks of several GPUs in one process, a rank on each, beside PyTorch; their reports as they come. */
const SEVERAL_GPU_BENCHMARKS: Readonly<
  Record<string, (options: SeveralGpus) => AsyncIterable<Report>>
> = {
  layers: benchSeveralLayers,
  train: benchTrainGpus,
  host: benchSeveralHost,
  copies: benchCopyOrders,
  gpusTrust: benchGpusTrust,
};

/** A benchmark of a world over NCCL. */
interface ClusterBenchmark {
  readonly run: (cluster: Cluster) => Promise<Report[]>;
  /** The world it runs on unless one is named. */
  readonly prefers: Pick<Cluster, "nodes" | "emulateNodes">;
}

const ONE_NODE = { nodes: 1, emulateNodes: false } as const;
const TWO_NODES = { nodes: 2, emulateNodes: true } as const;

const NCCL_BENCHMARKS: Readonly<Record<string, ClusterBenchmark>> = {
  exchange: { run: benchNcclExchange, prefers: TWO_NODES },
  overlap: { run: benchNcclOverlap, prefers: TWO_NODES },
  schedules: { run: benchNcclSchedules, prefers: TWO_NODES },
  headline: { run: benchNcclHeadline, prefers: TWO_NODES },
  trust: { run: benchNcclTrust, prefers: TWO_NODES },
  tune: { run: benchNcclTune, prefers: TWO_NODES },
  codecs: { run: benchNcclCodecs, prefers: TWO_NODES },
  orders: { run: benchNcclOrders, prefers: ONE_NODE },
  faults: { run: benchNcclFaults, prefers: TWO_NODES },
  golden: { run: benchNcclGolden, prefers: TWO_NODES },
  balancing: { run: benchNcclBalancing, prefers: TWO_NODES },
};

async function main(args: readonly string[]): Promise<void> {
  const { engine, cluster, clusterOption, several, shapes, json, names } = parseBenchOptions(args);
  const options = { json, machine: machine() };
  if (cluster || several) {
    const own = several ? SEVERAL_GPU_BENCHMARKS : {};
    const known = { ...(cluster ? NCCL_BENCHMARKS : {}), ...own };
    const wanted = several && names.length === 0 ? Object.keys(own) : chosen(names, known);
    const refused = refusedOption(wanted, { own, clusterOption, shapes: several?.shapes });
    if (refused) throw new SchemoeError(refused);
    for (const name of wanted) {
      const reports = several && Object.hasOwn(own, name)
        ? SEVERAL_GPU_BENCHMARKS[name](several)
        : await NCCL_BENCHMARKS[name].run(cluster!(NCCL_BENCHMARKS[name].prefers));
      for await (const report of reports) print(report.name ?? name, report, options);
    }
    return;
  }
  const benchmarks = engine === "cuda" ? GPU_BENCHMARKS : BENCHMARKS;
  const shaped = engine === "cuda" ? SHAPED_GPU_BENCHMARKS : {};
  for (const name of chosen(names, shapes ? shaped : { ...benchmarks, ...shaped })) {
    if (!Object.hasOwn(shaped, name)) print(name, await benchmarks[name](), options);
    else for await (const report of shaped[name](shapes)) print(name, report, options);
  }
}

/** What is wrong with an option that was given to benchmarks of several GPUs which read none such; undefined where nothing is. */
function refusedOption(
  wanted: readonly string[],
  { own, clusterOption, shapes }: {
    readonly own: object;
    readonly clusterOption?: string;
    readonly shapes?: readonly string[];
  },
): string | undefined {
  const isOwn = (name: string) => Object.hasOwn(own, name);
  const alone = clusterOption && wanted.find(isOwn);
  if (alone) return `--${clusterOption} is no option of ${alone}, which has a rank on each GPU`;
  const shapeless = shapes && wanted.find((name) => !isOwn(name));
  return shapeless && `--shapes is no option of ${shapeless}`;
}

/** What there is for each engine, a line each. */
function namesText(): string[] {
  const lists = {
    cpu: BENCHMARKS,
    cuda: { ...GPU_BENCHMARKS, ...SHAPED_GPU_BENCHMARKS },
    "cuda --gpus N": { ...SEVERAL_GPU_BENCHMARKS, ...NCCL_BENCHMARKS },
    "cuda --transport nccl": NCCL_BENCHMARKS,
  };
  return Object.entries(lists).map(([engine, known]) =>
    `--engine ${engine}: ${Object.keys(known).join(" ")}`
  );
}

/** The names that were given, or all. @throws {SchemoeError} for one that is unknown. */
function chosen(names: readonly string[], benchmarks: Readonly<Record<string, unknown>>): string[] {
  const foreign = names.find((name) => !Object.hasOwn(benchmarks, name));
  if (foreign === undefined) return names.length > 0 ? [...names] : Object.keys(benchmarks);
  throw new SchemoeError(
    `Unknown benchmark "${foreign}": choose from ${Object.keys(benchmarks).join(", ")}`,
  );
}

if (import.meta.main) {
  try {
    await main(taskArguments([BENCH_USAGE, ...namesText()].join("\n")));
  } catch (error) {
    console.error(`bench: ${(error as Error).message}`);
    Deno.exitCode = 1;
  }
}
