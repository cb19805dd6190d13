/** What `bench` is told on its command line. @module */
import { parseArgs } from "node:util";
import { SchemoeError } from "../../types.ts";
import { argumentProblem, positive } from "../build/command.ts";
import { devicesOf, type DevicesOption, parseDevices } from "./devices_option.ts";

export const BENCH_USAGE = "usage: deno task bench [--engine cpu|cuda] [--transport copy|nccl] " +
  "[--nodes N] [--ranks-per-node R] [--emulate-nodes] [--gpus N | --devices LIST] [--max-ctas N] " +
  "[--save FOLDER] [--seconds N] [--shapes LIST] [--json] [NAME...]";

/** Ranks of a world on one GPU when nothing says how many; on several each has one. */
const RANKS = 8;

/** The ranks of the benchmarks over NCCL and the GPUs that they are on. */
export interface Cluster {
  readonly nodes: number;
  readonly ranksPerNode: number;
  readonly emulateNodes: boolean;
  /** GPU of each rank. */
  readonly devices: readonly number[];
  /** Blocks of a communicator of NCCL on a GPU, where they are limited. */
  readonly maxCTAs?: number;
  /** Where measured timelines go. */
  readonly save?: string;
  /** Time that the comparison of schedules may take. */
  readonly seconds: number;
}

/** What the benchmarks of one process on several GPUs are told: a rank on each of the first so many. */
export interface SeveralGpus {
  readonly gpus: number;
  /** Time after which no other part begins. */
  readonly seconds?: number;
  /** Names of the sizes that are wanted; all where none are named. */
  readonly shapes?: readonly string[];
}

/** Parsed options. */
export interface BenchOptions {
  readonly engine: "cpu" | "cuda";
  readonly json: boolean;
  readonly names: readonly string[];
  /** Present for `--transport nccl` and `--gpus N`: the world for a benchmark that prefers one, if none was named. */
  readonly cluster?: (preferred: Pick<Cluster, "nodes" | "emulateNodes">) => Cluster;
  /** The first option of `cluster` that was given, for benchmarks that read none of them. */
  readonly clusterOption?: string;
  /** Names of the shapes of `layers` and `fineLayers` on one GPU, where not all are wanted. */
  readonly shapes?: readonly string[];
  /** Present for `--gpus N` without a transport: the benchmarks that choose transports themselves. */
  readonly several?: SeveralGpus;
}

/** What only the benchmarks over NCCL read. */
const CLUSTER = [
  "nodes",
  "ranks-per-node",
  "emulate-nodes",
  "devices",
  "max-ctas",
  "save",
] as const;

/**
 * Reads the options of `bench`.
 * @throws {SchemoeError} naming the option that is unknown, no number, or does not fit the others.
 */
export function parseBenchOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parsed(args);
  const engine = oneOf("engine", values.engine, ["cpu", "cuda"]);
  const transport = oneOf("transport", values.transport ?? "copy", ["copy", "nccl"]);
  if (values.transport !== undefined && engine !== "cuda") {
    fail("--transport is an option of --engine cuda");
  }
  // a benchmark over NCCL may be named after --gpus N, too
  const clustered = transport === "nccl" || (values.gpus !== undefined && !values.transport);
  const given = CLUSTER.find((name) => values[name] !== undefined);
  if (given && !clustered) fail(`--${given} is an option of --transport nccl and of --gpus N`);
  if (values.gpus !== undefined && engine !== "cuda") fail("--gpus is an option of --engine cuda");
  const common = { engine, json: values.json ?? false, names: positionals };
  const number = (name: "nodes" | "ranks-per-node" | "max-ctas" | "seconds") => {
    const text = values[name];
    return text === undefined ? undefined : positive(name, text);
  };
  const shapes = values.shapes?.split(",");
  if (shapes?.includes("")) {
    fail(`--shapes needs names such as qwen3,mixtral, got "${values.shapes}"`);
  }
  if (shapes && (transport === "nccl" || engine !== "cuda")) {
    fail("--shapes is an option of --engine cuda without --transport nccl");
  }
  const places = parseDevices(values);
  const seconds = number("seconds");
  if (transport !== "nccl" && places.gpus === undefined) {
    if (seconds !== undefined) fail("--seconds is an option of --transport nccl and of --gpus N");
    return { ...common, ...(shapes ? { shapes } : {}) };
  }
  const several = transport === "nccl" ? {} : {
    several: {
      gpus: places.gpus!,
      ...(seconds === undefined ? {} : { seconds }),
      ...(shapes ? { shapes } : {}),
    },
  };
  if (!clustered) return { ...common, ...several };
  const wanted = {
    nodes: number("nodes"),
    ranksPerNode: number("ranks-per-node"),
    emulateNodes: values["emulate-nodes"],
    places,
    maxCTAs: number("max-ctas"),
    save: values.save,
    seconds,
  };
  if (wanted.save === "") fail("--save needs the name of a folder");
  resolveCluster(wanted, { nodes: 1, emulateNodes: false }); // what cannot be is said at once
  return {
    ...common,
    ...several,
    cluster: (preferred) => resolveCluster(wanted, preferred),
    ...(given ? { clusterOption: given } : {}),
  };
}

/** Options of a cluster. */
interface Wanted {
  readonly nodes?: number;
  readonly ranksPerNode?: number;
  readonly emulateNodes?: boolean;
  readonly places: DevicesOption;
  readonly maxCTAs?: number;
  readonly save?: string;
  readonly seconds?: number;
}

/** Time for the comparison of schedules unless told otherwise. */
const SECONDS = 100;

/**
 * The world that was asked for, or the one that a benchmark prefers on one GPU; on several it is one node
 * with a rank on each unless told otherwise.
 */
function resolveCluster(
  wanted: Wanted,
  preferred: Pick<Cluster, "nodes" | "emulateNodes">,
): Cluster {
  const { places, maxCTAs, save, seconds = SECONDS } = wanted;
  const several = places.devices?.length ?? ((places.gpus ?? 1) > 1 ? places.gpus : undefined);
  const named = wanted.nodes !== undefined || wanted.ranksPerNode !== undefined;
  const usual = named || several !== undefined ? { nodes: 1, emulateNodes: false } : preferred;
  const emulateNodes = wanted.emulateNodes ?? usual.emulateNodes;
  const nodes = wanted.nodes ??
    (wanted.ranksPerNode === undefined && wanted.emulateNodes
      ? Math.max(2, preferred.nodes)
      : usual.nodes);
  if (emulateNodes && nodes < 2) fail("--emulate-nodes needs --nodes of at least 2");
  const all = several ?? RANKS;
  const ranksPerNode = wanted.ranksPerNode ?? all / nodes;
  if (!Number.isInteger(ranksPerNode)) {
    fail(`${nodes} nodes do not divide ${all} ranks: give --ranks-per-node too`);
  }
  const ranks = nodes * ranksPerNode;
  if (ranks < 2) {
    fail("one rank has nobody to exchange with: give more --nodes or --ranks-per-node");
  }
  const devices = devicesOf(places, ranks) ?? Array<number>(ranks).fill(0);
  return {
    nodes,
    ranksPerNode,
    emulateNodes,
    devices,
    seconds,
    ...(maxCTAs === undefined ? {} : { maxCTAs }),
    ...(save === undefined ? {} : { save }),
  };
}

/** Whether some ranks of a cluster are on the same GPU. */
export const sharesGpus = ({ devices }: Pick<Cluster, "devices">): boolean =>
  new Set(devices).size < devices.length;

function parsed(args: readonly string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: "boolean" },
        engine: { type: "string", default: "cpu" },
        transport: text,
        nodes: text,
        "ranks-per-node": text,
        "emulate-nodes": { type: "boolean" },
        gpus: text,
        devices: text,
        "max-ctas": text,
        save: text,
        seconds: text,
        shapes: text,
      },
    });
  } catch (cause) {
    throw new SchemoeError(`${argumentProblem(cause)}; ${BENCH_USAGE}`, { cause });
  }
}

function oneOf<T extends string>(name: string, value: string, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  return found ?? fail(`Unknown ${name} "${value}": choose from ${known.join(", ")}`);
}

function fail(problem: string): never {
  throw new SchemoeError(problem);
}
