/** The comparison of schedules over NCCL: one layer, balanced. @module */
import { type LayerConfig, resolveLayer } from "../../blocks/mod.ts";
import { explain, toCSV } from "../../timeline/mod.ts";
import type { Engine } from "../../engine.ts";
import type { Pass } from "../../types.ts";
import { laneText, laneTimes, type Sharing } from "./causes.ts";
import { combinationText, gainOf, isBaseline } from "./gains.ts";
import { clusterText, openCluster } from "./nccl_engine.ts";
import { balancedOn, layerOf } from "./nccl_layer.ts";
import type { Cluster } from "./options.ts";
import { hundredths, milliseconds, type Report, type Row } from "./report.ts";
import { type Combination, compareSchedules, type Comparison, type Measured } from "./schedules.ts";

const COMPARED = {
  schedulers: ["sequential", "tutel", "fasterMoE", "optSche", "criticalPath"],
  allToAlls: ["linear", "hierarchical2d", "hierarchical2dPipelined", "pipe"],
  codecs: ["none", "fp16", "int8"],
  chunks: [1, 2, 4, 8],
  repetitions: 3,
  timeLimit: 20,
} as const;

/** Times of all combinations, the gain of the best, and why it is no faster. */
export async function benchNcclSchedules(cluster: Cluster): Promise<Report[]> {
  const { tf32 } = layerOf(cluster);
  using engine = openCluster(cluster, { transport: "nccl" }, { tf32 });
  const { devices, seconds } = cluster;
  const { config, balance, text } = await balancedOn(engine, cluster);
  const reports = await scheduleReports(engine, config, {
    ...COMPARED,
    seconds,
    sharing: { of: devices, gain: balance.gain },
    save: cluster.save,
    note: (text) => console.error(text),
  });
  const shared = { ...clusterText(cluster), ...text };
  return reports.map((report) => ({
    ...report,
    configuration: { ...shared, ...report.configuration },
  }));
}

/** The reports of a comparison on any engine. */
export async function scheduleReports(
  engine: Engine,
  config: LayerConfig,
  comparison: Comparison & { readonly sharing: Sharing; readonly save?: string },
): Promise<Report[]> {
  const { measured, leftOut, failures } = await compareSchedules(engine, config, comparison);
  const { repetitions, sharing, save } = comparison;
  const { tokens, modelDim, hiddenDim, experts, topK, dtype } = resolveLayer(
    config,
    engine.topology,
  );
  const configuration: Row = {
    tokens,
    modelDim,
    hiddenDim,
    experts,
    topK,
    dtype,
    repetitions,
    engine: engine.timing,
    bound: "times measured alone; ranks of a GPU share it",
    leftOut: leftOut.join(", ") || "nothing",
    failures: failures.join("; ") || "none",
  };
  if (save !== undefined) await saveTimelines(save, measured, configuration);
  return [
    { name: "schedules", configuration, rows: measured.map(rowOf) },
    { name: "gains", configuration, rows: gainRows(measured, sharing) },
  ];
}

function rowOf(one: Measured): Row {
  const { pass, scheduler, allToAll, codec, chunks, seconds, bound, boundLimit, hidden } = one;
  return {
    pass,
    scheduler,
    allToAll,
    codec,
    chunks,
    ms: milliseconds(seconds),
    hidden: hundredths(hidden),
    boundMs: milliseconds(bound),
    aboveBound: hundredths(seconds / bound - 1),
    boundLimit,
  };
}

/** Among which codecs the best is looked for. */
const SCOPES: Readonly<Record<string, (combination: Combination) => boolean>> = {
  "no codec": ({ codec }) => codec === "none",
  "any codec": () => true,
};

function gainRows(measured: readonly Measured[], sharing: Sharing): Row[] {
  const rows: Row[] = [];
  for (const [among, choose] of Object.entries(SCOPES)) {
    for (const pass of ["forward", "backward", "both"] as const) {
      const list = pass === "both" ? measured : measured.filter((one) => one.pass === pass);
      const { best, baseline, tutel, overBaseline, overTutel } = gainOf(list, choose);
      const row: Row = {
        pass,
        among,
        best: combinationText(best.combination),
        ms: milliseconds(best.seconds),
        baselineMs: milliseconds(baseline.seconds),
        overBaseline: hundredths(overBaseline),
        tutel: combinationText(tutel.combination),
        tutelMs: milliseconds(tutel.seconds),
        overTutel: hundredths(overTutel),
      };
      rows.push(pass === "both" ? row : { ...row, ...causes(list, best.combination, sharing) });
    }
  }
  return rows;
}

/** What keeps a run from its bound. */
function causes(list: readonly Measured[], combination: Combination, sharing: Sharing): Row {
  const { run, bound, boundLimit, seconds, hidden } = find(list, combination);
  const { sentences } = explain({ timeline: run.timeline, bound, boundLimit });
  return {
    hidden: hundredths(hidden),
    boundMs: milliseconds(bound),
    aboveBound: hundredths(seconds / bound - 1),
    lanes: laneText(laneTimes(run.ran[0], sharing)),
    why: sentences.join(" "),
  };
}

const find = (list: readonly Measured[], combination: Combination): Measured =>
  list.find((one) => combinationText(one) === combinationText(combination))!;

/** Timelines of the baseline, of tutel's schedule and of the best, for Gantt charts elsewhere. */
async function saveTimelines(
  folder: string,
  measured: readonly Measured[],
  configuration: Row,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const pass of ["forward", "backward"] as Pass[]) {
    const list = measured.filter((one) => one.pass === pass);
    const { best, tutel } = gainOf(list);
    const plain = gainOf(list, SCOPES["no codec"]);
    const chosen: Record<string, Measured> = {
      baseline: list.find(isBaseline)!,
      tutel: find(list, tutel.combination),
      best: find(list, best.combination),
      "tutel-none": find(list, plain.tutel.combination),
      "best-none": find(list, plain.best.combination),
    };
    for (const [name, { run, bound, boundLimit, seconds, hidden }] of Object.entries(chosen)) {
      const about = {
        name: run.name,
        pass,
        seconds,
        bound,
        boundLimit,
        hidden,
        configuration: { ...run.configuration, ...configuration },
      };
      await Deno.writeTextFile(`${folder}/${pass}-${name}.csv`, toCSV(run.timeline));
      await Deno.writeTextFile(`${folder}/${pass}-${name}.json`, `${JSON.stringify(about)}\n`);
    }
  }
}
