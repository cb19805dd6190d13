/** How far the simulator can be trusted: held-out random layers, predicted with a fitted profile and measured. */
import {
  calibrate,
  type MachineProfile,
  type PredictionQuality,
  predictionQuality,
  randomShapes,
} from "../../adaptive/mod.ts";
import type { LayerConfig } from "../../blocks/mod.ts";
import type { Engine } from "../../engine.ts";
import type { EngineOptions } from "../../engines/mod.ts";
import { openCudaEngine, openEngine } from "../../engines/mod.ts";
import { SchemoeError } from "../../types.ts";
import { topology } from "../../topology.ts";
import { carrierOf, clusterText, openCluster, transportsOf } from "./nccl_engine.ts";
import type { Cluster, SeveralGpus } from "./options.ts";
import { hundredths, type Report, type Row } from "./report.ts";

const SHAPES = 60;
/** No seed of a test or notebook. */
const SEED = 22;
const WORLD = { nodes: 2, ranksPerNode: 2 } as const;

/** An engine, and the layer that its profile and the random ones are around. */
export interface TrustCase {
  readonly name: string;
  readonly layer: LayerConfig;
  /** Random layers; default 60. */
  readonly shapes?: number;
  /** Seconds for the profile, and for the layers. */
  readonly seconds?: { readonly profile: number; readonly layers: number };
}

/** A layer whose tasks take part of a millisecond on a GPU. */
const GPU_LAYER: LayerConfig = { tokens: 4096, modelDim: 1024, hiddenDim: 2048, experts: 8 };

/**
 * Links and processors so slow that the computation of four ranks on two cores, and late wake-ups, hide behind
 * their pace.
 */
export const SLOW = topology({
  ...WORLD,
  name: "slow",
  intra: { bandwidth: "4 MB/s", latency: "300 us" },
  inter: { bandwidth: "1 MB/s", latency: "1 ms" },
  processor: { flopRate: 1e8, byteRate: 2e7, alpha: 5e-4 },
});

/** The CPU engine with paced times, which nothing that ranks share changes. */
export async function benchTrust(): Promise<Report> {
  return await opened({ kind: "cpu", topology: SLOW, computation: "paced" }, {
    name: "emulated links, paced computation",
    layer: { tokens: 96, modelDim: 32, hiddenDim: 64, experts: 8 },
  });
}

/** The CPU engine as fast as it goes, whose ranks share the cores of this machine. */
export async function benchPlainTrust(): Promise<Report> {
  return await opened({ kind: "cpu", ...WORLD, links: "plain" }, {
    name: "plain links, real computation",
    layer: { tokens: 512, modelDim: 128, hiddenDim: 256, experts: 8 },
  });
}

/** One H200 with copies, 2 x 2 ranks that share it. */
export async function benchGpuTrust(): Promise<Report> {
  return await opened({ kind: "cuda", ...WORLD, links: "plain" }, {
    name: "one GPU, copies",
    layer: GPU_LAYER,
    shapes: 24,
  });
}

/** A world over NCCL, such as two emulated nodes; a third of its time for the profile. */
export async function benchNcclTrust(cluster: Cluster): Promise<Report[]> {
  using engine = openCluster(cluster, { transport: "nccl" });
  const { seconds, nodes, ranksPerNode } = cluster;
  const report = await trustReport(engine, {
    name: `NCCL, ${nodes} x ${ranksPerNode}`,
    layer: { ...GPU_LAYER, experts: 2 * engine.topology.ranks },
    shapes: 24,
    seconds: { profile: seconds / 3, layers: 2 * seconds / 3 },
  });
  return [{ ...report, configuration: { ...clusterText(cluster), ...report.configuration } }];
}

/** Seconds for each carrier between GPUs, a third of them for its profile. */
const SECONDS_OF_CARRIER = 40;

/** A rank on each of several GPUs of one node, by everything that carries bytes between them; reports as they come. */
export async function* benchGpusTrust(
  { gpus, seconds = Infinity, shapes }: SeveralGpus,
): AsyncGenerator<Report> {
  if (gpus < 2) {
    throw new SchemoeError("Between GPUs there is nothing to predict on one: give --gpus 2");
  }
  if (shapes) throw new SchemoeError("--shapes is no option of gpusTrust, whose layers are random");
  const devices = Array.from({ length: gpus }, (_, rank) => rank);
  const world = topology({ nodes: 1, ranksPerNode: gpus });
  const began = performance.now();
  for (const transport of transportsOf({ devices }).toReversed()) {
    if ((performance.now() - began) / 1e3 > seconds) return;
    using engine = openCudaEngine({ topology: world, devices, ...transport });
    yield await trustReport(engine, {
      name: `${gpus} GPUs, ${carrierOf(transport)}`,
      layer: { ...GPU_LAYER, experts: 4 * gpus },
      shapes: 24,
      seconds: { profile: SECONDS_OF_CARRIER / 3, layers: 2 * SECONDS_OF_CARRIER / 3 },
    });
  }
}

async function opened(options: EngineOptions, one: TrustCase): Promise<Report> {
  using engine = openEngine(options);
  return await trustReport(engine, one);
}

async function trustReport(engine: Engine, one: TrustCase): Promise<Report> {
  const rows = await rowsOf(engine, one);
  return {
    configuration: {
      shapes: "random, held out",
      choices: 8,
      "runs of a pass": "3 undisturbed of 12",
    },
    rows,
  };
}

/** The processors that ranks share, where they do. */
function sharingOf({ processors }: MachineProfile): Row {
  if (!processors) return {};
  const { capacity, turns, transferWidth, ranks } = processors;
  return {
    "lanes at full speed": hundredths(capacity),
    ...(ranks ? { "slowest rank takes": hundredths(Math.max(...ranks)) } : {}),
    ...(turns ? { "lanes at once": turns.count } : {}),
    ...(turns?.slice === undefined ? {} : { "slice ms": hundredths(1e3 * turns.slice) }),
    ...(turns?.transfers ? { "transfers take processors": turns.transfers } : {}),
    ...(transferWidth === undefined
      ? {}
      : { "part of a processor of each": hundredths(transferWidth) }),
  };
}

/** The same at the machine's speed while each layer ran, where a probe told it. */
function atSpeedOf({ speed, stepErrorAtSpeed: error }: PredictionQuality): Row {
  if (!speed) return {};
  return {
    "error at its speed %": percent(error.typical),
    "signed at its speed %": percent(error.median),
    speed: hundredths(speed.median),
    "speed from": hundredths(speed.least),
    "speed to": hundredths(speed.most),
  };
}

const percent = (value: number): number => hundredths(100 * value);

async function rowsOf(
  engine: Engine,
  { name, layer, shapes = SHAPES, seconds }: TrustCase,
): Promise<Row[]> {
  const profile = await calibrate(engine, {
    ...{ layer, codecs: ["int8"] },
    ...(seconds ? { seconds: seconds.profile } : {}),
  });
  const list = randomShapes(shapes, { around: layer, topology: engine.topology, seed: SEED });
  const quality = await predictionQuality(engine, {
    ...{ profile, shapes: list },
    ...(seconds ? { seconds: seconds.layers } : {}),
  });
  const { stepError, stepErrorOfAll, agreement, repeated, regret, rows, leftOut, byKind } = quality;
  const step = {
    engine: name,
    what: "step",
    rows: stepError.rows,
    layers: quality.made.shapes,
    "error %": percent(stepError.typical),
    "signed %": percent(stepError.median),
    "from %": percent(stepError.least),
    "to %": percent(stepError.most),
    ...atSpeedOf(quality),
    tau: Math.round(agreement.tau * 1e3) / 1e3,
    pairs: agreement.pairs,
    "overlapping pairs": agreement.leftOut,
    "tau of one more run": Math.round(repeated.tau * 1e3) / 1e3,
    "regret %": percent(regret.mean),
    "most regret %": percent(regret.most),
    "rows left out": leftOut,
    runs: rows.reduce((sum, row) => sum + row.runs, 0),
    "undisturbed runs": rows.reduce((sum, row) => sum + row.calmRuns, 0),
    "error with disturbed %": percent(stepErrorOfAll.typical),
    "calibration s": hundredths(profile.seconds),
    ...(profile.probe ? { "speed varied in it by %": percent(profile.probe.noise) } : {}),
    ...sharingOf(profile),
    "computation beside transfers": hundredths(profile.slowdown.compute),
    "transfers beside computation": hundredths(profile.slowdown.communication),
  };
  const kinds = byKind.map((kind) => ({
    engine: name,
    what: kind.what,
    rows: kind.rows,
    "error %": percent(kind.typical),
    "signed %": percent(kind.median),
    "from %": percent(kind.least),
    "to %": percent(kind.most),
  }));
  return [step, ...kinds];
}
