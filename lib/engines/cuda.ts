/**
 * The GPU engine: each lane of each rank is a CUDA stream, ranks share the GPUs that the process sees.
 * @module
 */
import { NativeEngine } from "../native/engine.ts";
import { NativeRunner } from "../native/runner.ts";
import type { Engine, Topology } from "../types.ts";
import { pace } from "./pacing.ts";

/** How a CUDA engine computes, and how its times come about. */
export interface CudaOptions {
  readonly topology: Topology;
  /**
   * `plain` (default): transfers are copies in the memory of the GPUs. `emulated`: each takes at
   * least what its links would.
   */
  readonly links?: "emulated" | "plain";
  /** `real` (default): as long as the GPU takes. `paced`: at least what the topology's processor would. */
  readonly computation?: "paced" | "real";
  /** Products of float32 round their factors to TF32, which is faster; default false. */
  readonly tf32?: boolean;
  /**
   * Launches a Program as one CUDA graph where that is possible: nothing is paced, no host function,
   * one GPU. Default true; false enqueues each operation in every run. Results are the same bits.
   */
  readonly graphs?: boolean;
  /** Records times; default true. Without, all times of a run are 0, which shows what recording costs. */
  readonly times?: boolean;
}

/**
 * Opens a CUDA engine on the GPUs that `CUDA_VISIBLE_DEVICES` leaves, ranks in blocks over them.
 *
 * @example
 * ```ts ignore
 * using engine = openCudaEngine({ topology });
 * const layer = createLayer(engine, { tokens: 4096, modelDim: 1024, hiddenDim: 4096, experts: 8, dtype: "bfloat16" });
 * ```
 * @throws {SchemoeError} when the library was built without CUDA, or there is no GPU or no cuBLASLt.
 */
export function openCudaEngine(options: CudaOptions): Engine {
  const { topology, links = "plain", computation = "real", tf32 = false, graphs, times } = options;
  const { nodes, ranksPerNode } = topology;
  return new NativeRunner({
    kind: "cuda",
    topology,
    timing: `${links} links, ${computation} computation${tf32 ? ", TF32" : ""}`,
    native: new NativeEngine({ kind: "cuda", nodes, ranksPerNode, tf32, graphs, times }),
    ...pace(topology, { links, computation }),
  });
}
