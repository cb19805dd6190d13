/**
 * The GPU engine: each lane of each rank is a CUDA stream, ranks share the GPUs that the process sees.
 * @module
 */
import { aTopology, expect, record } from "../arguments/mod.ts";
import { type NativeCalls, NativeEngine, type OpenNative } from "../native/engine.ts";
import { setCudaEnvironment } from "../native/environment.ts";
import { libraryPath, openLibrary } from "../native/library.ts";
import { findNccl, type Nccl } from "../native/nccl.ts";
import { wantsNvtx } from "../native/nvtx.ts";
import { NativeRunner, type RanksFacts } from "../native/runner.ts";
import type { Engine } from "../engine.ts";
import { SchemoeError, type Topology } from "../types.ts";
import { pace } from "./pacing.ts";
import { didYouMean, quoted } from "../words.ts";

const OPEN_CUDA_ENGINE_OPTIONS = record("an object { topology }", { topology: aTopology });

/** What moves the bytes of transport `copy`. */
/** What moves bytes between GPUs: kernels, or the copy engines. */
export type CopyBy = "kernels" | "engines";

const COPY_BY: readonly CopyBy[] = ["kernels", "engines"];

/**
 * What moves them unless told otherwise: over NVLink experts slowed kernels down most and engines least
 * (`notebooks/results/gpus-2xh200.ipynb`), though a kernel begins sooner, by 10 us.
 */
const DEFAULT_COPY_BY: CopyBy = "engines";

/** More than any machine has. */
const MOST_GPUS = 1024;

/** How bytes travel between the ranks of a CUDA engine, and which GPUs it uses. */
export interface TransportOptions {
  /**
   * `copy` (default): copies in the memory of the GPUs. `nccl`: sends and
   * receives of NCCL, with a communicator for each lane.
   */
  readonly transport?: "copy" | "nccl";
  /**
   * `copy`: what moves bytes between GPUs: `engines` (default), the copy engines of the GPUs, which leave
   * all multiprocessors to computation, or `kernels`, which need some while they run and GPUs that reach
   * each other's memory, and begin sooner. Between ranks of one GPU it is always a kernel. Results are
   * the same bits.
   */
  readonly copyBy?: CopyBy;
  /**
   * `nccl`: each node gets a copy of the library, which takes it for a host of its own: ranks of one
   * node reach each other through memory, ranks of different nodes through sockets. Default false.
   */
  readonly emulateNodes?: boolean;
  /** Path of NCCL's library; default: `SCHEMOE_NCCL`, else the newest that is found. */
  readonly nccl?: string;
  /**
   * `nccl`: blocks that one communicator may occupy on a GPU; default 2 where ranks share a GPU, and
   * elsewhere what NCCL chooses.
   */
  readonly maxCTAs?: number;
  /** GPU of each rank, in any order; default: ranks in blocks over all that the process sees. */
  readonly devices?: readonly number[];
}

/** How a CUDA engine computes, and how its times come about. */
export interface CudaOptions extends TransportOptions {
  /** World whose ranks are spread over the GPUs. */
  readonly topology: Topology;
  /**
   * `plain` (default): transfers take as long as they do. `emulated`: each takes at least what its
   * links would.
   */
  readonly links?: "emulated" | "plain";
  /** `real` (default): as long as the GPU takes. `paced`: at least what the topology's processor would. */
  readonly computation?: "paced" | "real";
  /** Products of float32 round their factors to TF32, which is faster; default false. */
  readonly tf32?: boolean;
  /**
   * Before the first run of a Program its large products are measured with each algorithm that cuBLASLt
   * offers, on numbers of their own, and the fastest is kept among the ones with the same bits as the
   * one it prefers: no result depends on this. Default true.
   */
  readonly tune?: boolean;
  /**
   * From its second run on, launches a Program as one CUDA graph where that is possible: one GPU,
   * transport `copy`, nothing paced, no host function, no NVTX ranges, at most 4,096 kernels. A graph that has begun
   * runs to its end, also when it is cancelled. Default true, unless `SCHEMOE_CUDA_GRAPHS` is 0; false
   * enqueues each operation in every run. Results are the same bits.
   */
  readonly graphs?: boolean;
  /** Records times; default true. Without, all times of a run are 0, which shows what recording costs. */
  readonly times?: boolean;
  /** NVTX ranges with the names of tasks: see {@linkcode EngineOptions.nvtx}. */
  readonly nvtx?: boolean;
}

/**
 * Opens a CUDA engine on the GPUs that `CUDA_VISIBLE_DEVICES` leaves.
 *
 * With NCCL, a run that fails, is cancelled or takes longer than its limit ends in an abort of all
 * communicators; the next run makes new ones. Several ranks on a GPU need NCCL 2.30.
 *
 * Times of several GPUs are on one clock: before each run the GPUs signal each other back and forth, and
 * the caption of a run says by how much the times of two may be wrong, half of the quickest round.
 *
 * @example
 * ```ts ignore
 * using engine = openCudaEngine({ topology, transport: "nccl", emulateNodes: true });
 * const layer = createLayer(engine, { tokens: 4096, modelDim: 1024, hiddenDim: 4096, experts: 8, dtype: "bfloat16" });
 * ```
 * @throws {SchemoeError} when the library was built without CUDA, there is no GPU, cuBLASLt or NCCL,
 *   NVTX is asked for and missing, or the communicators could not run on the GPUs together.
 */
export function openCudaEngine(options: CudaOptions): Engine {
  expect("openCudaEngine", "options", options, OPEN_CUDA_ENGINE_OPTIONS);
  const nvtx = wantsNvtx(options.nvtx, "cuda");
  const { native, where } = openNativeCuda(options);
  return cudaRunner({ ...options, nvtx, alone: true }, native, {
    where,
    clockError: () => clockErrorOf(native),
    processors: severalOf(native.processors(options.topology.ranks)),
  });
}

/** The native engine of such options, and a text on its transport for captions. */
export function openNativeCuda(
  options: CudaOptions,
): { native: NativeEngine; where: string } {
  const { tf32, tune, graphs, times } = options;
  const { nodes, ranksPerNode, ranks } = options.topology;
  checkTransport(options, ranks);
  setCudaEnvironment({
    nccl: options.transport === "nccl",
    emulateNodes: options.emulateNodes,
  });
  const library = openLibrary(libraryPath("cuda"));
  const nccl = options.transport === "nccl" ? findNccl(library, options.nccl) : undefined;
  const given = transportArguments(options, nccl);
  const open: OpenNative = (symbols) => (config, out, failure) =>
    symbols.schemoe_open_cuda(config, ...given, out, failure);
  const native = new NativeEngine({
    kind: "cuda",
    nodes,
    ranksPerNode,
    tf32,
    tune,
    graphs,
    times,
    library,
    open,
  });
  return { native, where: transportText(options, nccl) };
}

/**
 * The CUDA engine over native calls of any origin.
 *
 * @param options.alone whether it runs all ranks in this process.
 * @param ranks where they run.
 */
export function cudaRunner(
  options: CudaOptions & { readonly alone?: boolean },
  native: NativeCalls,
  { where = "", clockError, processors }: RanksFacts = {},
): Engine {
  const { topology, links = "plain", computation = "real", tf32 = false, nvtx, alone = false } =
    options;
  const copies = alone && options.transport !== "nccl";
  return new NativeRunner({
    kind: "cuda",
    topology,
    timing: `${links} links, ${computation} computation${tf32 ? ", TF32" : ""}${where}`,
    clockError,
    processors,
    nvtx,
    native,
    counts: copies && links === "plain" && computation === "real",
    ...pace(topology, { links, computation }),
  });
}

/** How a caption names a transport. */
function transportText({ emulateNodes, copyBy }: TransportOptions, nccl?: Nccl): string {
  if (nccl) return `, NCCL ${nccl.version}${emulateNodes ? ", emulated nodes" : ""}`;
  return copyBy === undefined ? "" : `, copies between GPUs by ${copyBy}`;
}

/** GPUs of the ranks, where there are several. */
const severalOf = (gpus: readonly number[]): readonly number[] | undefined =>
  new Set(gpus).size > 1 ? gpus : undefined;

/** Seconds by which the clocks of several GPUs differ; undefined of one. */
function clockErrorOf(native: NativeEngine): number | undefined {
  const error = native.closed ? 0 : native.clockError();
  return error > 0 ? error / 1e9 : undefined;
}

/**
 * A transport for the native library: the words of a `schemoe_cuda`, NCCL's path, and the
 * devices. This process is number `slot` of `slots` that share the GPUs it sees.
 */
export function transportArguments(
  { emulateNodes = false, maxCTAs = 0, devices, copyBy = DEFAULT_COPY_BY }: TransportOptions,
  nccl?: Nccl,
  { slot = 0, slots = 1 } = {},
) {
  const flags = [Number(!!nccl), Number(emulateNodes), maxCTAs];
  const copies = nccl ? 0 : COPY_BY.indexOf(copyBy);
  return [
    Uint32Array.of(...flags, devices?.length ?? 0, slot, slots, copies, 0),
    new TextEncoder().encode(`${nccl?.path ?? ""}\0`),
    devices ? Uint32Array.from(devices) : null,
  ] as const;
}

/** @throws {SchemoeError} for options that cannot be, or not together. */
export function checkTransport(options: TransportOptions, ranks: number): void {
  const { transport = "copy", copyBy, emulateNodes, nccl, maxCTAs, devices } = options;
  if (transport !== "copy" && transport !== "nccl") {
    fail(
      `unknown transport ${quoted(transport)}, choose one of copy, nccl${
        didYouMean(transport, ["copy", "nccl"])
      }`,
    );
  }
  if (copyBy !== undefined) {
    if (transport !== "copy") fail('copyBy is an option of transport "copy"');
    if (!COPY_BY.includes(copyBy)) {
      fail(
        `unknown copyBy ${quoted(copyBy)}, choose one of ${COPY_BY.join(", ")}${
          didYouMean(copyBy, COPY_BY)
        }`,
      );
    }
  }
  for (const [name, value] of Object.entries({ emulateNodes, nccl, maxCTAs })) {
    if (value !== undefined && transport !== "nccl") {
      fail(`${name} is an option of transport "nccl"`);
    }
  }
  if (emulateNodes !== undefined && typeof emulateNodes !== "boolean") {
    fail(`emulateNodes must be true or false, got ${quoted(emulateNodes)}`);
  }
  if (nccl !== undefined && (typeof nccl !== "string" || nccl === "")) {
    fail(`nccl must be the path of a library, got ${quoted(nccl)}`);
  }
  if (maxCTAs !== undefined && !(Number.isInteger(maxCTAs) && maxCTAs >= 1 && maxCTAs <= 64)) {
    fail(`maxCTAs must be an integer from 1 to 64, got ${quoted(maxCTAs)}`);
  }
  if (devices !== undefined) checkDevices(devices, ranks);
}

/** @throws {SchemoeError} unless it is a list of one GPU for each rank. */
function checkDevices(devices: unknown, ranks: number): void {
  const list = `devices is ${JSON.stringify(devices)}`;
  if (!Array.isArray(devices)) {
    fail(`${list}, it must be an array with the number of a GPU for each of ${ranks} ranks`);
  }
  if (devices.length !== ranks) {
    fail(`${list}, which names GPUs for ${devices.length} ranks, and there are ${ranks}`);
  }
  const rank = devices.findIndex((device) =>
    !(Number.isSafeInteger(device) && device >= 0 && device < MOST_GPUS)
  );
  if (rank >= 0) {
    fail(`${list}: rank ${rank} needs the number of a GPU, an integer from 0 to ${MOST_GPUS - 1}`);
  }
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot open the engine: ${problem}`);
}
