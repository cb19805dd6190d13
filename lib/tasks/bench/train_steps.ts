/** The model of `bench train` on GPUs, about 340 million active parameters, and times of its steps. @module */
import { gshard, rotaryPositions, swiglu, topK } from "../../blocks/mod.ts";
import type { Engine } from "../../engine.ts";
import type { PassChoices } from "../../layer/mod.ts";
import { createModel, type ModelConfig, type TrainingStep } from "../../model/mod.ts";
import { randomTokens } from "../../training/mod.ts";
import { quiet } from "../build/command.ts";
import { hundredths, median, type Row } from "./report.ts";

/** Sizes, under the names of `torch_model.py` too; the batch is that of a rank. */
export const SIZES = {
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

/** Rows of experts: as many as tokens chose, or places for so many times their mean load. */
export type ExpertRows = "dropless" | number;

/** Steps before the times are taken, in which graphs are made and products tuned too, and steps whose times are. */
export interface StepCounts {
  readonly warmUp: number;
  readonly steps: number;
}

/** Steps until what makes graphs anew in each step of a dropless model is compiled. */
const DROPLESS_WARM_UP = 10;

/** The model with such rows. */
export function trainedModel(expertRows: ExpertRows): ModelConfig {
  const { vocabulary, context, batch, modelDim, heads, keyValueHeads, headDim } = SIZES;
  const moe = {
    experts: SIZES.experts,
    hiddenDim: SIZES.hiddenDim,
    expert: swiglu(),
    gate: topK({ k: SIZES.topK }),
    routing: expertRows === "dropless" ? { dropless: true } : { capacityFactor: expertRows },
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
 * Floating-point operations of a step of one rank that no implementation can leave out: three products for each weight
 * that a token uses, and half of the squares of attention's scores.
 */
export function stepFlops(): number {
  const { batch, context, modelDim, heads, keyValueHeads, headDim, layers, vocabulary } = SIZES;
  const attention = 2 * modelDim * headDim * (heads + keyValueHeads);
  const experts = 3 * SIZES.topK * modelDim * SIZES.hiddenDim;
  const weights = layers * (attention + experts) + modelDim * vocabulary;
  const scores = layers * 2 * context * heads * headDim;
  return 3 * batch * context * (2 * weights + scores);
}

/** Steps of a model that was just made, all on the same tokens. */
export interface TimedSteps {
  /** Times by the clock and rates; `TFLOPs` are those of a GPU. */
  readonly row: Row;
  readonly last: TrainingStep;
}

/** Trains a new model on an engine whose ranks have a GPU each. */
export async function timedSteps(
  engine: Engine,
  expertRows: ExpertRows,
  choices: PassChoices,
  { warmUp, steps }: StepCounts,
): Promise<TimedSteps> {
  const before = expertRows === "dropless" ? Math.max(warmUp, DROPLESS_WARM_UP) : warmUp;
  using model = createModel(engine, trainedModel(expertRows));
  const { vocabulary, batch, context } = SIZES;
  const sequences = batch * engine.topology.ranks;
  const tokens = randomTokens({ vocabulary }).batch({ step: 0, sequences, context });
  const times: number[] = [], spans: number[] = [], losses: number[] = [];
  const began = performance.now();
  let last: TrainingStep | undefined;
  for (let step = 0; step < before + steps; step++) {
    const begun = performance.now();
    last = await model.step(tokens, { ...choices, bound: false });
    losses.push(last.loss!);
    if (step < before) continue;
    times.push(performance.now() - begun);
    spans.push(1e3 * last.makespan);
  }
  const wall = median(times);
  const memoryGB = hundredths(await usedGB());
  return {
    last: last!,
    row: {
      expertRows,
      stepMs: hundredths(wall),
      gpuMs: hundredths(median(spans)),
      leastMs: hundredths(Math.min(...times)),
      mostMs: hundredths(Math.max(...times)),
      tokensPerSecond: Math.round(1e3 * sequences * context / wall),
      TFLOPs: hundredths(stepFlops() / wall / 1e9),
      droppedPercent: hundredths(100 * droppedShare(last!, expertRows)),
      memoryGB,
      readyS: hundredths((performance.now() - began) / 1e3),
      firstLoss: losses[0],
      lastLoss: losses.at(-1)!,
    },
  };
}

/** Share of the choices that find no place; loads are [ranks, experts] of each layer. */
function droppedShare({ layerLoads }: TrainingStep, expertRows: ExpertRows): number {
  if (expertRows === "dropless") return 0;
  const chosen = SIZES.topK * SIZES.batch * SIZES.context;
  const places = Math.floor(expertRows * chosen / SIZES.experts);
  let kept = 0, all = 0;
  for (const load of layerLoads!.flatMap((loads) => [...loads])) {
    kept += Math.min(load, places);
    all += load;
  }
  return 1 - kept / all;
}

/** Memory in use on the GPU that has most of it in use. */
async function usedGB(): Promise<number> {
  const columns = ["--query-gpu=memory.used", "--format=csv,noheader,nounits"];
  const mebibytes = (await quiet(["nvidia-smi", ...columns])).trim().split("\n").map(Number);
  return Math.max(...mebibytes) * 2 ** 20 / 1e9;
}
