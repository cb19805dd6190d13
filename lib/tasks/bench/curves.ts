/** Losses of the same model with several codecs on its wires, each with several seeds. @module */
import { cosineRate, ffn, gshard, topK } from "../../blocks/mod.ts";
import { fixedRateZfp } from "../../compressors/mod.ts";
import { openCudaEngine } from "../../engines/mod.ts";
import type { PassChoices } from "../../layer/mod.ts";
import { createModel, type ModelConfig } from "../../model/mod.ts";
import { topology } from "../../topology.ts";
import { compareTraining, textFile } from "../../training/mod.ts";
import { SchemoeError } from "../../types.ts";
import { root } from "../build/command.ts";
import type { Report, Row } from "./report.ts";

/** What passes the wires of all layers, forward and backward. */
const CODECS: Readonly<Record<string, PassChoices>> = {
  none: {},
  zfp8: { compressor: fixedRateZfp({ rate: 8 }) },
  int8: { compressor: "int8" },
  fp8: { compressor: "fp8" },
};

/** The model of 1.9 million parameters that learns six novels, on two ranks. */
const novelsModel = (vocabulary: number, steps: number): ModelConfig => {
  const moe = {
    experts: 8,
    hiddenDim: 192,
    expert: ffn({ activation: "gelu" }),
    gate: topK({ k: 2 }),
    routing: { capacityFactor: 0 },
    losses: [gshard({ weight: 0.01 })],
  };
  return {
    vocabulary,
    context: 128,
    batch: 8,
    modelDim: 128,
    attention: { heads: 4 },
    layers: [{ moe }, { moe }, { moe }, { moe }],
    rate: cosineRate({ peak: 3e-3, warmup: Math.ceil(steps / 10), steps }),
  };
};

/** How long and how often, where not all is wanted. */
export interface CurveOptions {
  /** Default 600. */
  readonly steps?: number;
  /** Default 1, 2 and 3. */
  readonly seeds?: readonly number[];
  /** Default all. */
  readonly codecs?: readonly string[];
  /** Default `out/austen.txt`. */
  readonly text?: string;
}

/**
 * Validation losses on one GPU: a row for each codec, seed and validation. The sequences of a step are the same in
 * all runs; a seed is of the parameters at the beginning.
 * @throws {SchemoeError} without the text.
 */
async function curves(
  { steps = 600, seeds = [1, 2, 3], codecs = Object.keys(CODECS), text }: CurveOptions = {},
): Promise<Report> {
  const path = text ?? `${root}/out/austen.txt`;
  if (!await Deno.stat(path).then(({ isFile }) => isFile, () => false)) {
    throw new SchemoeError(`There is no text at ${path}: "deno task text" writes it`);
  }
  const data = await textFile(path);
  using engine = openCudaEngine({ topology: topology({ nodes: 2, ranksPerNode: 1 }) });
  const config = novelsModel(data.vocabulary, steps);
  const choices = { scheduler: "optSche", allToAll: "pipe", chunks: 2 };
  const rows: Row[] = [];
  await compareTraining((seed) => createModel(engine, config, { seed }), {
    ...choices,
    data,
    steps,
    seeds,
    runs: Object.fromEntries(codecs.map((name) => [name, CODECS[name]])),
    validateEvery: Math.ceil(steps / 12),
    validationSequences: 256,
    progress: false,
    onRun(run, { name, seed }) {
      for (const { step, loss } of run.validations) {
        rows.push({
          codec: name,
          seed,
          step,
          validation: loss,
          tokensPerSecond: Math.round(run.tokensPerSecond ?? 0),
          seconds: Math.round(10 * run.seconds) / 10,
        });
      }
    },
  });
  const { context, batch, modelDim, layers } = config;
  return {
    configuration: {
      engine: "cuda",
      text: data.name,
      world: "2 x 1",
      layers: layers.length,
      context,
      batch: 2 * batch,
      modelDim,
      experts: 8,
      topK: 2,
      steps,
      dtype: "float32",
      ...choices,
    },
    rows,
  };
}

export const benchCurves = (): Promise<Report> => curves();
