/** Layers whose experts are over several GPUs, by name, and how their passes are scheduled. @module */
import { type LayerConfig, swiglu, topK } from "../../blocks/mod.ts";
import { expertWaves } from "../../chunking/mod.ts";
import type { Chunking } from "../../chunking/types.ts";
import { type GpuShape, named } from "./gpu_shapes.ts";

/** Sizes of a layer of SwiGLU experts, `tokens` being those of each rank, under the names of `torch_ranks.py` too. */
export interface SeveralShape extends Omit<GpuShape, "expert"> {
  readonly dtype: "bfloat16" | "float32";
}

/** 8,192 tokens a rank; of DeepSeek-V3's experts 32. */
export const SEVERAL_SHAPES: readonly SeveralShape[] = [
  shape("qwen3", [2048, 768, 128, 8]),
  shape("deepseek", [7168, 2048, 32, 8]),
  shape("mixtral", [4096, 14336, 8, 2]),
];

function shape(
  name: string,
  [modelDim, hiddenDim, experts, topK]: readonly number[],
): SeveralShape {
  return { name, tokens: 8192, modelDim, hiddenDim, experts, topK, dtype: "bfloat16" };
}

/** The shapes of these names, or all. @throws {SchemoeError} for a name that is unknown. */
export const shapesNamed = (names: readonly string[] | undefined): readonly SeveralShape[] =>
  named(SEVERAL_SHAPES, names);

/** The layer of a shape: SwiGLU, no token dropped, nothing padded. */
export const configOf = (
  { tokens, modelDim, hiddenDim, experts, topK: k, dtype }: SeveralShape,
): LayerConfig => ({
  ...{ tokens, modelDim, hiddenDim, experts, dtype },
  gate: topK({ k }),
  routing: { dropless: true },
  expert: swiglu(),
});

/** Floating-point operations of the experts' products of all ranks forward; backward twice that. */
export const flopsOf = (
  { tokens, topK, modelDim, hiddenDim }: SeveralShape,
  ranks: number,
): number => 3 * 2 * ranks * tokens * topK * modelDim * hiddenDim;

/** How both passes run. */
export interface SeveralSchedule {
  readonly name: string;
  readonly scheduler: string;
  readonly chunks: number | Chunking;
  /** Experts that a rank needs for it. */
  readonly experts: number;
}

/** One task after another: what products and transfers take when nothing runs beside them. */
export const ALONE: SeveralSchedule = {
  name: "sequential, 1 chunk",
  scheduler: "sequential",
  chunks: 1,
  experts: 1,
};

const slices = (chunks: number, scheduler: string): SeveralSchedule => ({
  name: `${scheduler}, ${chunks === 1 ? "1 chunk" : `${chunks} chunks of tokens`}`,
  scheduler,
  chunks,
  experts: 1,
});
const waves = (count: number, scheduler: string): SeveralSchedule => ({
  name: `${scheduler}, ${count} waves of experts`,
  scheduler,
  chunks: expertWaves(count),
  experts: count,
});

export const SCHEDULES: readonly SeveralSchedule[] = [
  ALONE,
  slices(1, "criticalPath"),
  slices(2, "optSche"),
  waves(2, "optSche"),
  waves(4, "optSche"),
  waves(2, "criticalPath"),
];
