/** The least time that each part of a layer could take on a GPU. @module */
import type { GpuShape } from "./gpu_shapes.ts";

const BF16 = 2;

/**
 * Milliseconds of each task of a layer in bfloat16 without biases on one rank, `f.` forward and `b.`
 * backward, if its products ran at the rate of a large matrix product, and if everything else read and
 * wrote each of its arrays once at the rate of a large copy. Rows are those of all experts, padded or not.
 *
 * ```ts
 * import { floorsOf } from "./gpu_floors.ts";
 * import { GPU_SHAPES } from "./gpu_shapes.ts";
 * const floors = floorsOf(GPU_SHAPES[0], { rows: 8192, copyTBs: 4.2, matmulTFLOPs: 770 });
 * console.assert(floors["f.E"] > 3.7 && floors["f.E"] < 4);
 * ```
 */
export function floorsOf(
  { tokens, modelDim, hiddenDim, expert }: GpuShape,
  { rows, copyTBs, matmulTFLOPs }: { rows: number; copyTBs: number; matmulTFLOPs: number },
): Record<string, number> {
  const gated = expert === "swiglu";
  const products = (2 * rows * modelDim * hiddenDim * (gated ? 3 : 2)) / matmulTFLOPs / 1e9;
  const moved = (elements: number) => (elements * BF16) / copyTBs / 1e9;
  const ofTokens = tokens * modelDim;
  const ofRows = rows * modelDim;
  const hidden = rows * hiddenDim;
  return {
    "f.gate": moved(ofTokens),
    "f.dispatch": moved(ofTokens + ofRows),
    // A gated activation is a pass of its own over two arrays and a third; ReLU is part of the product.
    "f.E": products + moved(gated ? 3 * hidden : 0),
    "f.combine": moved(ofRows + ofTokens),
    // The rows of dy, and for the weights' gradients those of the experts' outputs.
    "b.combine": moved(ofTokens + 2 * ofRows),
    "b.Ei": products + moved(gated ? 5 * hidden : 3 * hidden),
    "b.Ew": products,
    "b.gate": moved(2 * ofTokens),
    "b.dispatch": moved(ofRows + 2 * ofTokens),
  };
}

/** Floors as the benchmark prints them: `f.gate 0.016, f.E 3.9`. */
export function printFloors(floors: Readonly<Record<string, number>>): string {
  return Object.entries(floors).map(([part, ms]) => `${part} ${ms.toFixed(3)}`).join(", ");
}
