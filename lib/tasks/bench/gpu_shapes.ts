/** Layers that the GPU benchmark times beside PyTorch. @module */

/** One layer, in bfloat16 and dropless. */
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
