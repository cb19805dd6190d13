/** Training steps of a model of about 340 million active parameters on one GPU, beside the same model in PyTorch. @module */
import { gshard, rotaryPositions, swiglu, topK } from "../../blocks/mod.ts";
import { openCudaEngine } from "../../engines/mod.ts";
import { createModel, type ModelConfig, type TrainingStep } from "../../model/mod.ts";
import { column, numbers, rows as rowsOf } from "../../timeline/table/columns.ts";
import { topology } from "../../topology.ts";
import { randomTokens } from "../../training/mod.ts";
import { quiet } from "../build/command.ts";
import { hundredths, median, type Report, type Row } from "./report.ts";
import { trainKernels } from "./train_kernels.ts";

/** Sizes, under the names of `torch_model.py` too. */
const SIZES = {
  vocabulary: 32768,
  context: 2048,
  batch: 16,
  modelDim: 1024,
  heads: 16,
  keyValueHeads: 16,
  headDim: 64,
  layers: 20,
  experts: 8,
  topK: 2,
  hiddenDim: 1536,
};

/** Steps of each row; those before the times are taken also capture the graph. */
const WARM_UP = 4, STEPS = 8;

/** Places of experts for each of their mean loads, in turn. */
const CAPACITIES = [1, 1.25];

function configOf(capacityFactor: number): ModelConfig {
  const { vocabulary, context, batch, modelDim, heads, keyValueHeads, headDim } = SIZES;
  const moe = {
    experts: SIZES.experts,
    hiddenDim: SIZES.hiddenDim,
    expert: swiglu(),
    gate: topK({ k: SIZES.topK }),
    routing: { capacityFactor },
    losses: [gshard({ weight: 0.01 })],
  };
  return {
    vocabulary,
    context,
    batch,
    modelDim,
    dtype: "bfloat16",
    attention: { heads, keyValueHeads, headDim },
    layers: Array.from({ length: SIZES.layers }, () => ({ moe })),
    positions: rotaryPositions(),
    rate: 3e-4,
  };
}

/**
 * Floating-point operations of a step that no implementation can leave out: three products for each weight that a
 * token uses, and half of the squares of attention's scores.
 */
function flopsOf(): number {
  const { batch, context, modelDim, heads, keyValueHeads, headDim, layers, vocabulary } = SIZES;
  const attention = 2 * modelDim * headDim * (heads + keyValueHeads);
  const experts = 3 * SIZES.topK * modelDim * SIZES.hiddenDim;
  const weights = layers * (attention + experts) + modelDim * vocabulary;
  const scores = layers * 2 * context * heads * headDim;
  return 3 * batch * context * (2 * weights + scores);
}

/** Milliseconds of the tasks of each label in a step. */
function partsOf({ timeline }: TrainingStep): Map<string, number> {
  const label = column<string>(timeline, "label"), task = column<string>(timeline, "name");
  const start = numbers(timeline, "start_ns"), end = numbers(timeline, "end_ns");
  const parts = new Map<string, number>();
  for (const row of rowsOf(timeline)) {
    const kind = label.at(row).replace(/^update .*/, "update");
    const name = `${/grad|backward/.test(task.at(row)) ? "b" : "f"}.${kind}`;
    parts.set(name, (parts.get(name) ?? 0) + (end.at(row) - start.at(row)) / 1e6);
  }
  return parts;
}

/** Steps of this project: median time, and the parts of the median step. */
async function ours(capacityFactor: number): Promise<Row> {
  using engine = openCudaEngine({ topology: topology({ nodes: 1, ranksPerNode: 1 }) });
  using model = createModel(engine, configOf(capacityFactor));
  const data = randomTokens({ vocabulary: SIZES.vocabulary });
  const { batch, context } = SIZES;
  const tokens = data.batch({ step: 0, sequences: batch, context });
  const times: number[] = [], spans: number[] = [], losses: number[] = [];
  const began = performance.now();
  let last: TrainingStep | undefined;
  for (let step = 0; step < WARM_UP + STEPS; step++) {
    const before = performance.now();
    last = await model.step(tokens, { scheduler: "sequential", bound: false });
    losses.push(last.loss!);
    if (step < WARM_UP) continue;
    times.push(performance.now() - before);
    spans.push(1e3 * last.makespan);
  }
  const wall = median(times);
  const used = await quiet([
    "nvidia-smi",
    "--query-gpu=memory.used",
    "--format=csv,noheader,nounits",
  ]);
  const chosen = 2 * batch * context;
  const kept = last!.layerLoads!.map((loads) => {
    const places = Math.floor(capacityFactor * chosen / SIZES.experts);
    return loads.reduce((sum, load) => sum + Math.min(load, places), 0) / chosen;
  });
  const parts = [...partsOf(last!)].toSorted(([, a], [, b]) => b - a);
  return {
    peer: "this project",
    capacityFactor,
    stepMs: hundredths(wall),
    gpuMs: hundredths(median(spans)),
    leastMs: hundredths(Math.min(...times)),
    mostMs: hundredths(Math.max(...times)),
    tokensPerSecond: Math.round(1e3 * batch * context / wall),
    TFLOPs: hundredths(flopsOf() / wall / 1e9),
    droppedPercent: hundredths(100 * (1 - kept.reduce((a, b) => a + b, 0) / kept.length)),
    memoryGB: hundredths(Number(used.trim().split("\n")[0]) * 1.048576e-3),
    readyS: hundredths((performance.now() - began) / 1e3),
    firstLoss: hundredths(losses[0]),
    lastLoss: hundredths(losses.at(-1)!),
    ...Object.fromEntries(parts.slice(0, 24).map(([name, ms]) => [name, hundredths(ms)])),
  };
}

/** Steps of the same model in PyTorch, and the rate of a large matrix product there. */
async function peers(): Promise<Record<string, string | number>[]> {
  const script = `${import.meta.dirname}/torch_model.py`;
  const sizes = JSON.stringify({ ...SIZES, steps: STEPS, warm: WARM_UP });
  const lines = (await quiet(["python3", script, sizes])).trim().split("\n");
  return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
}

/** @param options.withPeers false leaves PyTorch out. */
async function train(
  { withPeers = true, capacities = CAPACITIES }: {
    readonly withPeers?: boolean;
    readonly capacities?: readonly number[];
  } = {},
): Promise<Report> {
  const rows: Row[] = [];
  for (const capacity of capacities) rows.push(await ours(capacity));
  rows.push(...await trainKernels(SIZES));
  const others = withPeers ? await peers() : [];
  const rate = Number(others.find(({ peer }) => peer === "matrix product")?.tflops ?? NaN);
  for (const { peer, step_ms, forward_ms, backward_ms, update_ms, ...other } of others) {
    if (step_ms === undefined) continue;
    rows.push({
      peer,
      stepMs: step_ms,
      leastMs: other.least_ms,
      mostMs: other.most_ms,
      tokensPerSecond: other.tokens_per_second,
      TFLOPs: hundredths(flopsOf() / Number(step_ms) / 1e9),
      memoryGB: other.peak_gb,
      readyS: other.ready_s,
      forwardMs: forward_ms,
      backwardMs: backward_ms,
      updateMs: update_ms,
    });
  }
  return {
    configuration: {
      ...SIZES,
      engine: "cuda",
      dtype: "bfloat16, float32 masters",
      optimizer: "adamw",
      steps: STEPS,
      stepTFLOP: hundredths(flopsOf() / 1e12),
      ...(Number.isNaN(rate) ? {} : { matmulTFLOPs: rate }),
    },
    rows: rows.map((row) =>
      Number.isNaN(rate) || row.TFLOPs === undefined
        ? row
        : { ...row, shareOfMatmul: hundredths(Number(row.TFLOPs) / rate) }
    ),
  };
}

export const benchTrain = (): Promise<Report> => train();
