/** Projections around dispatch: rows of another width than tokens on their way and in the experts. @module */
import { type Layer, tokensOf } from "../blocks/mod.ts";
import { fill, gemm, matrixOf } from "../kernels/mod.ts";
import { elements, latentParameters } from "../memory/mod.ts";
import type { Matrix } from "../kernels/types.ts";
import type { Kernel, Task, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { tensorsOf } from "./contexts.ts";
import { addAllReduce } from "./reduce.ts";

/** What dispatch takes from and combine gives to, with the kernels before and after; all tokens of a rank. */
export interface Ends {
  readonly from: View;
  readonly to: View;
  /** Whether combine adds to what is there. */
  readonly add: boolean;
  readonly before: readonly Kernel[];
  readonly after: readonly Kernel[];
  /** Of the kernels before, and of those after. */
  readonly flops: number;
  readonly uses: readonly View[];
}

/**
 * Ends of a pass: the tokens themselves, or their projections. Forward takes `x` and gives `y`; backward takes `dy` and
 * gives `grad.x`, by the projections transposed.
 */
export function endsOf(
  g: GraphBuilder,
  layer: Layer,
  { add }: { readonly add: boolean },
): Ends {
  const { latentDim, tokens, modelDim } = layer;
  const table = tensorsOf(layer);
  const forward = g.pass === "forward";
  const [x, y] = forward ? ["x", "y"] : ["dy", "grad.x"];
  const [from, to] = [g.tensor(table, x), g.tensor(table, y)];
  if (latentDim === undefined) return { from, to, add, before: [], after: [], flops: 0, uses: [] };
  const matrix = (name: string, rows: number, columns: number) =>
    tensorMatrix(g, layer, name, rows, columns);
  const [inner, outer] = forward ? ["latent.x", "latent.y"] : ["latent.dy", "latent.dx"];
  const [taken, given] = [matrix(inner, tokens, latentDim), matrix(outer, tokens, latentDim)];
  const down = matrix("latent.down", modelDim, latentDim);
  const up = matrix("latent.up", latentDim, modelDim);
  const [first, last] = forward ? [down, up] : [up, down];
  const transB = !forward;
  return {
    from: taken,
    to: given,
    add: false,
    flops: 2 * tokens * modelDim * latentDim,
    before: tokens ? [gemm(matrix(x, tokens, modelDim), first, taken, { transB })] : [],
    after: tokens ? [gemm(given, last, matrix(y, tokens, modelDim), { transB, add })] : [],
    uses: [from, to, taken, given, down, up],
  };
}

function tensorMatrix(
  g: GraphBuilder,
  layer: Layer,
  name: string,
  rows: number,
  columns: number,
): Matrix & View {
  const table = tensorsOf(layer);
  const dtype = table.get(name).dtype as Matrix["dtype"];
  const view = g.tensor(table, name);
  return matrixOf(view, rows, columns, dtype);
}

/** Adds the gradients of the projections and their sums over ranks; needs both ends of the pass. */
export function addLatentGrad(
  g: GraphBuilder,
  layer: Layer,
  { stage, after }: { readonly stage: number; readonly after: readonly Task[] },
): void {
  const { latentDim, tokens, modelDim, topology: { ranks } } = layer;
  if (latentDim === undefined) return;
  const table = tensorsOf(layer);
  const matrix = (name: string, rows: number, columns: number) =>
    tensorMatrix(g, layer, name, rows, columns);
  const part = ranks > 1 ? "latent.partial." : "grad.latent.";
  const names = ["x", "dy", "latent.dx", "latent.y"];
  const rows = (count: number) =>
    names.map((name, i) => matrix(name, count, i < 2 ? modelDim : latentDim));
  const down = matrix(`${part}down`, modelDim, latentDim);
  const up = matrix(`${part}up`, latentDim, modelDim);
  const made = g.add({
    kind: "expertWeightGrad",
    label: "Lw",
    chunk: g.chunks,
    stage,
    after,
    flops: 4 * tokens * modelDim * latentDim,
    uses: [...rows(tokens), down, up],
    kernels: (rank) => {
      const count = tokensOf(layer, rank);
      const size = modelDim * latentDim;
      if (count === 0) return [down, up].map((part) => fill(size, part, 0));
      const [x, dy, dx, y] = rows(count);
      return [gemm(x, dx, down, { transA: true }), gemm(y, dy, up, { transA: true })];
    },
  });
  if (ranks === 1) return;
  for (const { name, shape } of latentParameters(layer)) {
    addAllReduce(
      g,
      { name: `grad.latent.${name}`, stage: stage + 1, chunk: g.chunks, after: [made] },
      {
        part: g.tensor(table, `latent.partial.${name}`),
        sum: g.tensor(table, `grad.latent.${name}`),
        count: elements(shape),
      },
    );
  }
}
