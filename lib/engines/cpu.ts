/**
 * The embedded engine: virtual ranks as threads of this process, real float32 arithmetic, link
 * speeds emulated by sleeping. The oracle of every other engine.
 * @module
 */
import { aTopology, expect, record } from "../arguments/mod.ts";
import { type NativeCalls, NativeEngine } from "../native/engine.ts";
import { wantsNvtx } from "../native/nvtx.ts";
import { NativeRunner, type RanksFacts } from "../native/runner.ts";
import type { Engine } from "../engine.ts";
import type { Topology } from "../types.ts";
import { pace } from "./pacing.ts";

const OPEN_CPU_ENGINE_OPTIONS = record("an object { topology }", { topology: aTopology });

/** How the times of a CPU engine come about. */
export interface CpuOptions {
  /** World whose ranks are threads of this process, and whose links are emulated. */
  readonly topology: Topology;
  /**
   * `emulated` (default): each transfer takes at least what its links would. `plain`: as fast as
   * memory is copied.
   */
  readonly links?: "emulated" | "plain";
  /**
   * `real` (default): as long as this machine takes. `paced`: at least what the topology's
   * processor would, so that many ranks keep a cluster's proportions on few cores. Tasks that have
   * no kernels and only take time are always paced.
   */
  readonly computation?: "paced" | "real";
  /** NVTX ranges with the names of tasks: see {@linkcode EngineOptions.nvtx}. */
  readonly nvtx?: boolean;
}

/**
 * Opens a CPU engine with a thread for each lane of each rank.
 *
 * @example
 * ```ts ignore
 * using engine = openCpuEngine({ topology, links: "emulated" });
 * const workspace = engine.workspace();
 * const events = await engine.run(program, workspace);
 * ```
 * @throws {SchemoeError} when the native library is missing, or another version, or without NVTX that is
 *   asked for.
 */
export function openCpuEngine(options: CpuOptions): Engine {
  expect("openCpuEngine", "options", options, OPEN_CPU_ENGINE_OPTIONS);
  const { nodes, ranksPerNode } = options.topology;
  const nvtx = wantsNvtx(options.nvtx, "cpu");
  const native = new NativeEngine({ kind: "cpu", nodes, ranksPerNode });
  return cpuRunner({ ...options, nvtx, alone: true }, native);
}

/**
 * The CPU engine over native calls of any origin.
 *
 * @param options.alone whether it runs all ranks in this process.
 * @param ranks where they run.
 */
export function cpuRunner(
  options: CpuOptions & { readonly alone?: boolean },
  native: NativeCalls,
  { where = "", clockError }: RanksFacts = {},
): Engine {
  const { topology, links = "emulated", computation = "real", nvtx, alone = false } = options;
  return new NativeRunner({
    kind: "cpu",
    topology,
    timing: `${links} links, ${computation} computation${where}`,
    clockError,
    nvtx,
    native,
    counts: alone && links === "plain" && computation === "real",
    ...pace(topology, { links, computation }),
  });
}
