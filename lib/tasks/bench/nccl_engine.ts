/** Engines for the benchmarks over NCCL. @module */
import { type CudaOptions, openCudaEngine, openNativeCuda } from "../../engines/cuda.ts";
import { libraryPath, openLibrary } from "../../native/library.ts";
import { findNccl } from "../../native/nccl.ts";
import { NativeRunner, type RunnerOptions } from "../../native/runner.ts";
import { topology } from "../../topology.ts";
import type { Engine } from "../../engine.ts";
import type { Topology } from "../../types.ts";
import type { Cluster } from "./options.ts";
import type { Row } from "./report.ts";

/** How bytes travel. */
export type Transport = Pick<CudaOptions, "transport" | "copyBy">;

/** Transports that are compared, NCCL first; without several GPUs copy engines have nothing to do. */
export function transportsOf({ devices }: Pick<Cluster, "devices">): Transport[] {
  const engines: Transport = { transport: "copy", copyBy: "engines" };
  const rest = new Set(devices).size > 1 ? [engines] : [];
  return [{ transport: "nccl" }, { transport: "copy", copyBy: "kernels" }, ...rest];
}

/** What moves the bytes of a transport, by name. */
export function carrierOf({ transport, copyBy }: Transport): string {
  if (transport === "nccl") return "NCCL";
  return copyBy === "engines" ? "copy engines" : "copies by kernels";
}

/** The world of a cluster. */
export const worldOf = ({ nodes, ranksPerNode }: Cluster): Topology =>
  topology({ nodes, ranksPerNode });

/** The engine of a cluster. */
export const openCluster = (
  cluster: Cluster,
  transport: Transport,
  computes: Pick<CudaOptions, "tf32"> = {},
): Engine => openCudaEngine({ ...optionsOf(cluster, transport), ...computes });

/** The engine of a cluster whose operations take at least what a function of task and rank says. */
export function openDelayed(
  cluster: Cluster,
  transport: Transport,
  seconds: RunnerOptions["seconds"],
): Engine {
  const options = optionsOf(cluster, transport);
  const { native } = openNativeCuda(options);
  return new NativeRunner({
    kind: "cuda",
    topology: options.topology,
    timing: "random delays",
    modelled: false,
    seconds,
    native,
  });
}

/** Options of the engine of a cluster. */
export function optionsOf(cluster: Cluster, transport: Transport): CudaOptions {
  const { devices, emulateNodes, maxCTAs } = cluster;
  const nccl = {
    ...(emulateNodes ? { emulateNodes } : {}),
    ...(maxCTAs === undefined ? {} : { maxCTAs }),
  };
  return {
    topology: worldOf(cluster),
    devices,
    ...transport,
    ...(transport.transport === "nccl" ? nccl : {}),
  };
}

/** What all rows of a benchmark share. */
export function clusterText(cluster: Cluster): Row {
  const { nodes, ranksPerNode, emulateNodes, devices, maxCTAs } = cluster;
  return {
    world: `${nodes} x ${ranksPerNode}${emulateNodes ? ", emulated nodes" : ""}`,
    gpus: new Set(devices).size,
    devices: devices.join(),
    ...(maxCTAs === undefined ? {} : { maxCTAs }),
    nccl: findNccl(openLibrary(libraryPath("cuda"))).version,
  };
}
