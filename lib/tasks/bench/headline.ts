/** The headline: a tuned layer against Tutel's schedule, uncompressed as the paper compares and with the same codec. */
import { calibrate, median, tune, tutelSearch } from "../../adaptive/mod.ts";
import { type LayerConfig, topK } from "../../blocks/mod.ts";
import type { Engine } from "../../engine.ts";
import { openEngine } from "../../engines/mod.ts";
import {
  type Candidate,
  candidateName,
  createLayer,
  type MoeLayer,
  type PassRunner,
} from "../../layer/mod.ts";
import { topology } from "../../topology.ts";
import type { Sharing } from "./causes.ts";
import { clusterText, openCluster } from "./nccl_engine.ts";
import { balancedOn, layerOf } from "./nccl_layer.ts";
import { inTurn, type StepChoice } from "./in_turn.ts";
import type { Cluster } from "./options.ts";
import { hundredths, milliseconds, type Report, type Row } from "./report.ts";
import { boundOf } from "./schedules.ts";

/** Relative error up to which a codec may be chosen, and the codecs. */
const ERROR = 0.05;
const CODECS = ["fp16", "int8", "fp8", "zfp"];
/** Steps of each contender, which run in turn. */
const STEPS = 15;

/**
 * Two nodes of four ranks in the proportions of the paper's cluster: all-to-alls take somewhat longer than experts. So
 * slow that eight ranks compute on two cores within their pace.
 */
const PACED = topology({
  ...{ nodes: 2, ranksPerNode: 4, name: "slow" },
  intra: { bandwidth: "2 MB/s", latency: "300 us" },
  inter: { bandwidth: "500 kB/s", latency: "1 ms" },
  processor: { flopRate: "50 MFLOP/s", byteRate: "10 MB/s", latency: "500 us" },
});
const LAYER: LayerConfig = {
  ...{ tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8, gate: topK({ k: 2 }) },
};

/** Emulated links and paced computation of the CPU engine. */
export async function benchHeadline(): Promise<Report> {
  using engine = openEngine({ kind: "cpu", topology: PACED, computation: "paced" });
  return await headlineReport(engine, LAYER);
}

/** The balanced layer of the comparison of schedules over NCCL. */
export async function benchNcclHeadline(cluster: Cluster): Promise<Report[]> {
  const { tf32 } = layerOf(cluster);
  const began = performance.now();
  const note = (done: string) =>
    console.error(`headline: ${done} after ${((performance.now() - began) / 1e3).toFixed(1)} s`);
  using engine = openCluster(cluster, { transport: "nccl" }, { tf32 });
  const { config, balance, text } = await balancedOn(engine, cluster);
  note("layer balanced");
  const sharing = { of: cluster.devices, gain: balance.gain };
  const { seconds } = cluster;
  const options = { sharing, seconds, calibration: seconds, note };
  const report = await headlineReport(engine, config, options);
  const configuration = { ...clusterText(cluster), ...text, ...report.configuration };
  return [{ ...report, configuration }];
}

/** How the comparison is made. */
export interface HeadlineOptions {
  /** Processors that ranks share, for the bound. */
  readonly sharing?: Sharing;
  /** Seconds for measuring candidates of `tune`, with a codec and without one; default 100 for both. */
  readonly seconds?: number;
  /** Seconds for the profile; default those of `calibrate`. */
  readonly calibration?: number;
  readonly steps?: number;
  /** Told what is done. */
  readonly note?: (done: string) => void;
}

/** One way to run a step, and what it is called. */
interface Contender extends StepChoice {
  readonly what: string;
}

/**
 * Times of Tutel's choice and of `tune`'s, both without a codec and both with the codec that `tune` chose. The bound is
 * that of the tasks of the last: what Tutel's time is over it is the most that any schedule could gain.
 */
export async function headlineReport(
  engine: Engine,
  config: LayerConfig,
  { sharing, seconds = 100, calibration, steps = STEPS, note = () => {} }: HeadlineOptions = {},
): Promise<Report> {
  // where tasks take what the model says there is nothing to measure
  const profile = engine.modelled ? undefined : await calibrate(engine, {
    ...{ layer: config, codecs: CODECS },
    ...(calibration === undefined ? {} : { seconds: calibration }),
  });
  note("calibrated");
  using layer = createLayer(engine, config);
  const tuned = async (what: string, error: number): Promise<Contender> => {
    const budget = { seconds: seconds / 2 };
    const { forward, backward } = await tune(layer, { profile, budget, error, codecs: CODECS });
    note(what);
    return { what, forward, backward: backward ?? forward };
  };
  const best = await tuned("tuned, any codec", ERROR);
  const { forward: { compressor: forth }, backward: { compressor: back } } = best;
  const tutel = async (
    what: string,
    forth: Candidate["compressor"],
    back: Candidate["compressor"],
  ): Promise<Contender> => {
    const found = await tutelSearch(withCodecs(layer, forth, back));
    note(what);
    return {
      what,
      forward: { ...found.forward, compressor: forth },
      backward: { ...found.backward, compressor: back },
    };
  };
  const contenders = [
    await tutel("Tutel, no codec", "none", "none"),
    await tutel("Tutel, the same codec", forth, back),
    await tuned("tuned, no codec", 0),
    best,
  ];
  const times = await inTurn(layer, contenders, steps);
  note("all timed in turn");
  const bounds: number[] = [];
  for (const one of contenders) bounds.push(await boundSeconds(layer, one, sharing));
  const [last, bound] = [median(times.at(-1)!), bounds.at(-1)!];
  const rows = contenders.map(({ what, forward, backward }, i): Row => {
    const ms = median(times[i]);
    return {
      ...{ what, "ms a step": milliseconds(ms) },
      ...{ from: milliseconds(Math.min(...times[i])), to: milliseconds(Math.max(...times[i])) },
      "over tuned, step by step": hundredths(pairedRatio(times[i], times.at(-1)!)),
      "bound ms": milliseconds(bounds[i]),
      "above its bound": hundredths(ms / bounds[i] - 1),
      "over tuned, any codec": hundredths(ms / last),
      "at most, by its bound": hundredths(ms / bound),
      ...{ forward: candidateName(forward), backward: candidateName(backward) },
    };
  });
  const { tokens, modelDim, hiddenDim, experts, topology: { nodes, ranksPerNode } } = layer.layer;
  const configuration = {
    ...{ tokens, modelDim, hiddenDim, experts, world: `${nodes} x ${ranksPerNode}`, steps },
    ...{ engine: engine.timing, "error allowed": ERROR, codecs: CODECS.join() },
  };
  return { configuration, rows };
}

/** Median of the ratios of steps that ran one after the other. */
function pairedRatio(times: readonly number[], others: readonly number[]): number {
  return median(times.map((seconds, step) => seconds / others[step]));
}

/** A layer whose passes have these codecs, whatever else is chosen. */
function withCodecs(
  layer: MoeLayer,
  forth: Candidate["compressor"],
  back: Candidate["compressor"],
): PassRunner {
  return {
    forward: (options) => layer.forward({ ...options, compressor: forth }),
    backward: (options) => layer.backward({ ...options, compressor: back }),
  };
}

async function boundSeconds(
  layer: MoeLayer,
  { forward, backward }: Contender,
  sharing?: Sharing,
): Promise<number> {
  const runs = [
    await layer.forward({ ...forward, results: false, bound: true }),
    await layer.backward({ ...backward, results: false, bound: true }),
  ];
  return runs.reduce((sum, run) => sum + boundOf(run, sharing).seconds, 0);
}
