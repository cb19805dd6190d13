/** `auto`, `tune` and what other systems choose, against the best of the whole grid. */
import { calibrate, type MachineProfile, median, randomShapes } from "../../adaptive/mod.ts";
import type { LayerConfig } from "../../blocks/mod.ts";
import type { Engine } from "../../engine.ts";
import { openEngine } from "../../engines/mod.ts";
import { candidateName, createLayer } from "../../layer/mod.ts";
import { inTurn } from "./in_turn.ts";
import { clusterText, openCluster } from "./nccl_engine.ts";
import type { Cluster } from "./options.ts";
import { hundredths, milliseconds, type Report, type Row } from "./report.ts";
import { SLOW } from "./trust.ts";
import { contendersOf, GOOD, STEPS } from "./tune_contenders.ts";

/** Runs of a final choice. */
const FINAL_RUNS = 7;
/** No seed of a test, a notebook or another benchmark. */
const SEED = 31;

/** Layers around one, of which none was calibrated with. */
interface TuneCase {
  readonly around: LayerConfig;
  readonly layers: number;
  /** After so many none is begun. */
  readonly seconds?: number;
  /** Seconds for the profile; default those of `calibrate`. */
  readonly calibration?: number;
}

/** The CPU engine with emulated links and paced computation. */
export async function benchTune(): Promise<Report> {
  using engine = openEngine({ kind: "cpu", topology: SLOW, computation: "paced" });
  const around = { tokens: 96, modelDim: 32, hiddenDim: 64, experts: 8 };
  return await tuneReport(engine, { around, layers: 10 });
}

/** A layer whose tasks take part of a millisecond on a GPU. */
const GPU_LAYER = { tokens: 4096, modelDim: 1024, hiddenDim: 2048 };

/** One GPU with copies, 2 x 2 ranks that share it. */
export async function benchGpuTune(): Promise<Report> {
  using engine = openEngine({ kind: "cuda", nodes: 2, ranksPerNode: 2, links: "plain" });
  return await tuneReport(engine, { around: { ...GPU_LAYER, experts: 8 }, layers: 3 });
}

/** A world over NCCL, such as two emulated nodes; a fifth of its time for the profile. */
export async function benchNcclTune(cluster: Cluster): Promise<Report[]> {
  using engine = openCluster(cluster, { transport: "nccl" });
  const { ranks } = engine.topology;
  const report = await tuneReport(engine, {
    around: { ...GPU_LAYER, tokens: 2048, experts: ranks },
    layers: 4,
    seconds: cluster.seconds,
    calibration: cluster.seconds / 5,
  });
  return [{ ...report, configuration: { ...clusterText(cluster), ...report.configuration } }];
}

async function tuneReport(
  engine: Engine,
  { around, layers, seconds = Infinity, calibration }: TuneCase,
): Promise<Report> {
  const begin = performance.now();
  const profile = await calibrate(engine, {
    ...{ layer: around, codecs: [] },
    ...(calibration === undefined ? {} : { seconds: calibration }),
  });
  const rows: Row[] = [];
  for (const config of randomShapes(layers, { around, topology: engine.topology, seed: SEED })) {
    const past = (performance.now() - begin) / 1e3;
    // the next one takes about as long as those before
    if (rows.length > 0 && past + (past - profile.seconds) / rows.length > seconds) break;
    rows.push(...await layerRows(engine, config, profile));
  }
  const { nodes, ranksPerNode } = engine.topology;
  return {
    configuration: {
      ...{ layers: "random, held out", world: `${nodes} x ${ranksPerNode}`, codec: "none" },
      ...{ engine: engine.timing, "final runs": FINAL_RUNS, good: `within ${GOOD} of the best` },
      ...{ "steps of training": STEPS, "calibration s": hundredths(profile.seconds) },
    },
    rows,
  };
}

async function layerRows(
  engine: Engine,
  config: LayerConfig,
  profile: MachineProfile,
): Promise<Row[]> {
  using layer = createLayer(engine, config);
  const { tokens, modelDim, hiddenDim, experts, gate } = layer.layer;
  const contenders = await contendersOf(layer, profile);
  const times = await inTurn(layer, contenders, FINAL_RUNS);
  const best = median(times[0]);
  return contenders.map(({ what, steps, seconds, forward, backward }, i): Row => {
    const final = median(times[i]);
    const good = steps.findIndex((step) => step <= GOOD * best);
    const known = good >= 0 ? good : final <= GOOD * best ? steps.length : -1;
    const training = [...steps, ...Array.from<number>({ length: STEPS }).fill(final)]
      .slice(0, STEPS).reduce((sum, step) => sum + step, 0);
    return {
      ...{ layer: `${tokens} x ${modelDim} x ${hiddenDim}, ${experts} experts, ${gate.name}` },
      ...{ what, "ms a step": milliseconds(final), "over the best": hundredths(final / best) },
      ...{ from: milliseconds(Math.min(...times[i])), to: milliseconds(Math.max(...times[i])) },
      "trial steps": steps.length,
      // what is measured beside training has no steps of it
      ...(steps.length === 0 && seconds !== undefined
        ? {}
        : { "first good step": known < 0 ? "never" : `${known + 1}` }),
      [`s of ${STEPS} steps`]: hundredths(training),
      ...(seconds === undefined ? {} : { "beside them s": hundredths(seconds) }),
      ...{ forward: candidateName(forward), backward: candidateName(backward) },
    };
  });
}
