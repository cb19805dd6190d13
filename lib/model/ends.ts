/** The ends of a model: embedding before the blocks, head and loss after them. @module */
import {
  add,
  crossEntropy,
  embed,
  embedGrad,
  gemm,
  norm,
  normGrad,
  sumValues,
} from "../kernels/mod.ts";
import { elementSize } from "../memory/mod.ts";
import type { Kernel, Task } from "../types.ts";
import type { Matrix } from "../kernels/types.ts";
import { gradientBuffers, normOf } from "./attention.ts";
import { matrix, type Part, WORD } from "./parts.ts";

const shapeOf = ({ model: { tokens, modelDim, vocabulary, context: length, dtype } }: Part) => ({
  dtype,
  tokens,
  modelDim,
  vocabulary,
  length,
});

/** Embeddings of the tokens, with their positions where these are added. */
export function embeddingForward(part: Part): Task {
  const { tokens, modelDim, positions } = part.model;
  return part.work({
    label: "embedding",
    words: 2 * tokens * modelDim,
    kernels: [
      embed(shapeOf(part), {
        ids: part.input("tokens"),
        table: part.tensor("embedding"),
        ...(positions.kind === "added" ? { positions: part.tensor("positions") } : {}),
        out: part.rows("h.0", modelDim),
      }),
    ],
  });
}

/** Their gradients; a tied head has left its own. */
export function embeddingBackward(part: Part): Task {
  const { tokens, modelDim, vocabulary, positions, tied } = part.model;
  const group = part.group("embedding");
  const { dh } = gradientBuffers(part);
  const table = part.gradient(group, "embedding");
  return part.work({
    label: "embedding",
    words: 2 * tokens * modelDim,
    kernels: [
      embedGrad(shapeOf(part), {
        ids: part.input("tokens"),
        dy: dh,
        table,
        ...(positions.kind === "added" ? { positions: part.gradient(group, "positions") } : {}),
      }),
      ...(tied
        ? [
          add(vocabulary * modelDim, table, part.floats("tied", vocabulary * modelDim), table),
        ]
        : []),
    ],
  });
}

/** Gradients through some rows of the logits, of the head's input and weights. */
function headGrads(
  part: Part,
  { here, x, dx, add }: Record<"here" | "x" | "dx", Matrix> & { add: boolean },
): Kernel[] {
  const { modelDim, vocabulary, tied } = part.model;
  if (!tied) {
    const gradient = part.gradient(part.group("head"), "head");
    return [
      gemm(here, part.parameter("head"), dx, { transB: true }),
      gemm(x, here, gradient, { transA: true, add }),
    ];
  }
  const sum = part.floats("tied", vocabulary * modelDim);
  return [
    gemm(here, part.parameter("embedding"), dx),
    gemm(here, x, matrix(sum, vocabulary, modelDim), { transA: true, add }),
  ];
}

/** Bytes of logits up to which those of all rows may exist at a time, and the parts of more than that. */
const LOGITS = 16 << 20;
const PARTS = 8;

/** Rows whose logits exist at a time: fewer would read the head, and add to its gradient, too often. */
function logitRows({ model: { tokens, vocabulary, dtype } }: Part): number {
  const few = Math.floor(LOGITS / (elementSize(dtype) * vocabulary));
  return Math.min(tokens, Math.max(1, few, Math.ceil(tokens / PARTS)));
}

/**
 * The last norm, logits and loss of some rows at a time, whose gradient is made in the same go, so that
 * logits of all rows never exist.
 * @param lossOnly leaves the gradients out.
 */
export function head(part: Part, lossOnly = false): Task {
  const { tokens, modelDim, vocabulary, tied, layers, topology: { ranks } } = part.model;
  const { microbatches, dtype } = part.model;
  const last = part.rows(`h.${layers.length}`, modelDim);
  const name = "norm";
  const own = normOf(part, name);
  const rows = logitRows(part);
  const statistics = part.floats("head.statistics", 2 * tokens);
  const y = part.rows("head.x", modelDim);
  const dy = part.rows("head.dx", modelDim);
  const logits = part.rows("head.logits", vocabulary, rows);
  const losses = part.floats("head.losses", tokens);
  const weight = part.parameter(tied ? "embedding" : "head");
  const targets = part.input("targets");
  const kernels: Kernel[] = [norm(own.shape, { ...own, x: last, y, statistics })];
  for (let row = 0; row < tokens; row += rows) {
    const count = Math.min(rows, tokens - row);
    const x = part.rowsOf(y, row, count), dx = part.rowsOf(dy, row, count);
    const here = part.rowsOf(logits, 0, count);
    kernels.push(
      gemm(x, weight, here, { transB: tied }),
      crossEntropy({
        rows: count,
        columns: vocabulary,
        logits: here,
        dtype,
        scale: 1 / (ranks * microbatches * tokens),
        targets: { ...targets, offset: targets.offset + WORD * row },
        loss: { ...losses, offset: WORD * row },
      }),
    );
    if (!lossOnly) kernels.push(...headGrads(part, { here, x, dx, add: row > 0 }));
  }
  kernels.push(
    sumValues({ squares: false, count: tokens, x: losses, out: part.lossSum() }),
  );
  if (!lossOnly) {
    const at = { dy, x: last, statistics };
    const { dh } = gradientBuffers(part);
    kernels.push(
      normGrad(own.shape, { ...at, weight: own.weight, dx: dh, add: false }),
      own.weightGrad("head", at),
    );
  }
  return part.work({
    label: "head",
    flops: (lossOnly ? 2 : 6) * tokens * modelDim * vocabulary,
    words: 6 * tokens * vocabulary,
    kernels,
  });
}
