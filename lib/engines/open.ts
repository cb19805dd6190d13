/** Opens an engine by name. @module */
import { checkFields } from "../arguments/mod.ts";
import { DEFAULT_TESTBED, testbed } from "../testbeds/mod.ts";
import { sharedProcessor, topology as world } from "../topology.ts";
import type { Engine } from "../engine.ts";
import { SchemoeError, type Topology } from "../types.ts";
import { openCpuEngine } from "./cpu.ts";
import { openCudaEngine, type TransportOptions } from "./cuda.ts";
import { defaultKind } from "./default_kind.ts";
import { openSimulator } from "./simulate.ts";
import { didYouMean, quoted } from "../words.ts";

/** Options of the CUDA engine alone. */
const TRANSPORT = [
  ...["transport", "copyBy"] as const,
  ...["emulateNodes", "nccl", "maxCTAs", "devices"] as const,
];

/** Which engine, and on which world; `transport` and what follows is for `cuda`. */
export interface EngineOptions extends TransportOptions {
  /** Default: `cpu`, or what the environment variable `SCHEMOE_ENGINE` names, `cpu` or `cuda`. */
  readonly kind?: "simulate" | "cpu" | "cuda";
  /**
   * Default: `nodes` x `ranksPerNode` (1 x 1) with the links of `topology()`, which two cores can
   * emulate, or of the testbed `h200-ib400` for `simulate`.
   */
  readonly topology?: Topology;
  /** Nodes of the world where no `topology` is given; default 1. */
  readonly nodes?: number;
  /** Ranks of each of these nodes; default 1. */
  readonly ranksPerNode?: number;
  /**
   * Transfers take what the topology says (`emulated`, default of `cpu`) or as long as a copy
   * (`plain`, default of `cuda`).
   */
  readonly links?: "emulated" | "plain";
  /** Computation takes as long as it does (`real`, the default) or at least what the topology says. */
  readonly computation?: "paced" | "real";
  /** `cuda`: products of float32 round their factors to TF32; default false. */
  readonly tf32?: boolean;
  /** `cuda`: products take the fastest algorithm of equal bits, measured before a run; default true. */
  readonly tune?: boolean;
  /**
   * `cpu` and `cuda`: NVTX ranges in the domain `schemoe`, which Nsight Systems and other tools record:
   * one for each run (`forward optSche`) and one for each operation, named like its task in a timeline,
   * with the rank as payload and `computation` or `communication` and the lane as category. On the CPU
   * it is on the thread that executes the operation; for a GPU it is where the host enqueues the work,
   * onto which tools project it, and no CUDA graph is used then. Default: whether `SCHEMOE_NVTX` is 1.
   */
  readonly nvtx?: boolean;
  /** `simulate`: the ranks of one node represent all nodes, which must do the same; default false. */
  readonly representatives?: boolean;
}

/**
 * Opens an engine. Close it, or declare it with `using` (not at the top level of a notebook). One of kind
 * `cpu` that nothing reaches any more, as when a cell is run again, is closed some time later.
 *
 * ```ts
 * import { openEngine } from "@schemoe/lab";
 * using cpu = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "emulated", computation: "paced" });
 * using cluster = openEngine({ kind: "simulate", nodes: 64, ranksPerNode: 8 });
 * console.assert(cpu.computes && !cluster.computes && cluster.topology.ranks === 512);
 * ```
 * @throws {SchemoeError} for unknown names and values, and when the native library is missing.
 */
export function openEngine(options: EngineOptions): Engine {
  if (typeof options !== "object" || options === null) {
    fail(
      `give an object such as { kind: "simulate", nodes: 1, ranksPerNode: 2 }, got ${
        quoted(options)
      }`,
    );
  }
  const { nodes, ranksPerNode, links, computation, representatives, tf32, tune, nvtx } = options;
  const known = [
    "kind",
    "topology",
    "nodes",
    "ranksPerNode",
    "links",
    "computation",
    "representatives",
    "tf32",
    "tune",
    "nvtx",
    ...TRANSPORT,
  ];
  checkFields(options, known, { what: "options", of: "one of its options", fail });
  const kind = options.kind === undefined ? defaultKind() : options.kind;
  oneOf("kind", kind, ["simulate", "cpu", "cuda"]);
  oneOf("links", links ?? "emulated", ["emulated", "plain"]);
  oneOf("computation", computation ?? "real", ["paced", "real"]);
  if (options.topology && (nodes ?? ranksPerNode) !== undefined) {
    fail("give a topology or nodes and ranksPerNode, not both");
  }
  const topology = options.topology ?? worldOf(kind, nodes, ranksPerNode);
  if (tf32 !== undefined && kind !== "cuda") fail("tf32 is an option of the cuda engine");
  if (tune !== undefined && kind !== "cuda") fail("tune is an option of the cuda engine");
  const foreignTo = TRANSPORT.find((key) => options[key] !== undefined);
  if (foreignTo && kind !== "cuda") fail(`${foreignTo} is an option of the cuda engine`);
  if (kind === "cuda") {
    if (representatives !== undefined) fail("representatives is an option of the simulate engine");
    const { transport, copyBy, emulateNodes, nccl, maxCTAs, devices } = options;
    return openCudaEngine({
      topology,
      links,
      computation,
      tf32,
      tune,
      nvtx,
      transport,
      copyBy,
      emulateNodes,
      nccl,
      maxCTAs,
      devices,
    });
  }
  if (kind === "cpu") {
    if (representatives !== undefined) fail("representatives is an option of the simulate engine");
    return openCpuEngine({ topology: onCores(topology, computation), links, computation, nvtx });
  }
  if (nvtx !== undefined) fail("nvtx is an option of the cpu and cuda engines");
  if (links || computation) fail("links and computation are options of the cpu and cuda engines");
  return openSimulator(topology, { representatives });
}

/** A world of given sizes: a current cluster where nothing is computed, else one that can be emulated. */
function worldOf(kind: EngineOptions["kind"], nodes = 1, ranksPerNode = 1): Topology {
  const size = { nodes, ranksPerNode };
  return kind === "simulate" ? testbed(DEFAULT_TESTBED, size).topology : world(size);
}

/** Ranks whose computation is not paced share this machine's cores. */
function onCores(topology: Topology, computation: EngineOptions["computation"]): Topology {
  const cores = navigator.hardwareConcurrency;
  const shared = computation !== "paced" && !topology.sharing && cores < topology.ranks;
  return shared ? sharedProcessor(topology, cores) : topology;
}

function oneOf(name: string, value: string, known: readonly string[]): void {
  if (known.includes(value)) return;
  const near = didYouMean(value, known);
  fail(`unknown ${name} ${quoted(value)}, choose one of ${known.join(", ")}${near}`);
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot open the engine: ${problem}`);
}
