import { createModel, type Engine, type ModelConfig, openEngine, topK } from "../../mod.ts";
import { textData } from "../../lib/training/mod.ts";

/** A text that a small model learns quickly. */
export const data = textData(
  Array.from({ length: 400 }, (_, i) => `${i % 7} and ${i % 3} make ${i % 7 + i % 3}. `).join(""),
  { seed: 5 },
);

export const sizes: ModelConfig = {
  vocabulary: data.vocabulary,
  context: 12,
  batch: 4,
  modelDim: 16,
  rate: 0.01,
  attention: { heads: 2 },
  layers: [{
    moe: { experts: 4, hiddenDim: 16, gate: topK({ k: 2 }), routing: { capacityFactor: 2 } },
  }],
};

/** The same layers without padding. */
export const dropless: ModelConfig["layers"] = [{
  moe: { experts: 4, hiddenDim: 16, gate: topK({ k: 2 }), routing: { dropless: true } },
}];

export const cpu = (ranksPerNode: number): Engine & Disposable =>
  openEngine({ kind: "cpu", nodes: 1, ranksPerNode, links: "plain" });

export const makeModel = (engine: Engine, seed = 1, change: Partial<ModelConfig> = {}) =>
  createModel(engine, { ...sizes, ...change }, { seed });

/** Calls with a path of a checkpoint that is not there yet. */
export async function withCheckpoint(body: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(`${folder}/checkpoint.safetensors`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
