/** Engines for the benchmarks over NCCL. @module */
import { type CudaOptions, openCudaEngine, openNativeCuda } from "../engines/cuda.ts";
import { libraryPath, openLibrary } from "../native/library.ts";
import { findNccl } from "../native/nccl.ts";
import { NativeRunner, type RunnerOptions } from "../native/runner.ts";
import { topology } from "../topology.ts";
import type { Engine, Topology } from "../types.ts";
import type { Cluster } from "./bench_options.ts";
import type { Row } from "./bench_report.ts";

/** How bytes travel. */
export type Transport = "copy" | "nccl";

/** The world of a cluster. */
export const worldOf = ({ nodes, ranksPerNode }: Cluster): Topology =>
  topology({ nodes, ranksPerNode });

/** The engine of a cluster. */
export const openCluster = (cluster: Cluster, transport: Transport): Engine =>
  openCudaEngine(optionsOf(cluster, transport));

/** The engine of a cluster whose operations take at least what a function of task and rank says. */
export function openDelayed(
  cluster: Cluster,
  transport: Transport,
  seconds: RunnerOptions["seconds"],
): Engine {
  const options = optionsOf(cluster, transport);
  const { native, where } = openNativeCuda(options);
  return new NativeRunner({
    ...{ kind: "cuda", topology: options.topology, timing: `random delays${where}` },
    ...{ modelled: false, seconds, native },
  });
}

/** What the engine of a cluster is opened with. */
export function optionsOf(cluster: Cluster, transport: Transport): CudaOptions {
  const { devices, emulateNodes } = cluster;
  return {
    ...{ topology: worldOf(cluster), devices, transport },
    ...(transport === "nccl" && emulateNodes ? { emulateNodes } : {}),
  };
}

/** What all rows of a benchmark share. */
export function clusterText(cluster: Cluster): Row {
  const { nodes, ranksPerNode, emulateNodes, devices } = cluster;
  return {
    world: `${nodes} x ${ranksPerNode}${emulateNodes ? ", emulated nodes" : ""}`,
    gpus: new Set(devices).size,
    nccl: findNccl(openLibrary(libraryPath("cuda"))).version,
  };
}
