/** Layers that the GPU benchmark times beside PyTorch. @module */
import { SchemoeError } from "../../types.ts";

/** One layer, in bfloat16. */
export interface GpuShape {
  readonly name: string;
  readonly tokens: number;
  readonly modelDim: number;
  readonly hiddenDim: number;
  readonly experts: number;
  readonly topK: number;
  readonly expert: "swiglu" | "relu";
}

export const GPU_SHAPES: readonly GpuShape[] = [
  shape("mixtral-proxy/8", [4096, 4096, 14336, 8, 2], "swiglu"),
  shape("deepseek-proxy/8", [4096, 7168, 2048, 32, 8], "swiglu"),
  shape("tutel-hello", [16384, 2048, 2048, 2, 2], "relu"),
  shape("schemoe-table10/8", [16384, 4096, 4096, 8, 1], "relu"),
  shape("small", [4096, 1024, 4096, 8, 2], "relu"),
];

/** A shape with what SonicMoE's figure 14 gives for it on an H100, TFLOP/s (read off a plot, within 3). */
export interface PublishedShape extends GpuShape {
  readonly published: { readonly forward: number; readonly backward: number };
}

/** Shapes of SonicMoE (arXiv 2512.14080, figure 14), by the size of the models that they are of. */
export const PUBLISHED_SHAPES: readonly PublishedShape[] = [
  published("1.4B n256", [40960, 768, 256, 128, 8], [336, 363]),
  published("1.4B n512", [40960, 768, 512, 64, 4], [397, 402]),
  published("1.4B n1024", [40960, 768, 1024, 32, 2], [404, 434]),
  published("7B n256", [24576, 1536, 256, 128, 8], [363, 404]),
  published("7B n512", [24576, 1536, 512, 64, 4], [432, 438]),
  published("7B n1024", [24576, 1536, 1024, 32, 2], [464, 466]),
  published("30B n256", [32768, 4096, 256, 256, 16], [425, 457]),
  published("30B n512", [32768, 4096, 512, 128, 8], [500, 509]),
  published("30B n1024", [32768, 4096, 1024, 64, 4], [549, 551]),
  published("120B n512", [32768, 4096, 512, 256, 16], [515, 524]),
  published("120B n1024", [32768, 4096, 1024, 128, 8], [556, 564]),
  published("120B n2048", [32768, 4096, 2048, 64, 4], [592, 583]),
];

/** Those of these names, or all. @throws {SchemoeError} for a name that is unknown. */
export function named<S extends { readonly name: string }>(
  shapes: readonly S[],
  names: readonly string[] | undefined,
): readonly S[] {
  if (!names) return shapes;
  return names.map((name) => {
    const found = shapes.find((shape) => shape.name === name);
    if (found) return found;
    const known = shapes.map((shape) => shape.name).join(", ");
    throw new SchemoeError(`Unknown shape "${name}": choose from ${known}`);
  });
}

function published(
  name: string,
  sizes: readonly number[],
  [forward, backward]: readonly number[],
): PublishedShape {
  return { ...shape(name, sizes, "swiglu"), published: { forward, backward } };
}

function shape(
  name: string,
  [tokens, modelDim, hiddenDim, experts, topK]: readonly number[],
  expert: GpuShape["expert"],
): GpuShape {
  return { name, tokens, modelDim, hiddenDim, experts, topK, expert };
}

/** Forward floating-point operations of the experts, without padding. */
export function flopsOf({ tokens, topK, modelDim, hiddenDim, expert }: GpuShape): number {
  return 2 * tokens * topK * modelDim * hiddenDim * (expert === "swiglu" ? 3 : 2);
}
