/** The top-k softmax gate of GShard and Switch. @module */
import { auxLoss, chooseTopK, gateGrad, gemm, positions, softmax } from "../../kernels/mod.ts";
import {
  type ElementType,
  type Gate,
  type GateContext,
  type Matrix,
  SchemoeError,
  type View,
} from "../../types.ts";
import { quoted } from "../../words.ts";

/** Options of `topK`. */
export interface TopKOptions {
  /** Experts of a token; default 1. */
  readonly k?: number;
  /** For k > 1: divide the weights of a token by their sum (before dropping); default true. */
  readonly normalize?: boolean;
  /** What a weight multiplies: the expert's output (default) or its input. */
  readonly weighs?: "output" | "input";
}

/**
 * Each token goes to its k best experts by softmax score (Lepikhin et al., "GShard", ICLR'21; Fedus
 * et al., "Switch Transformers", JMLR'22).
 *
 * ```ts
 * import { createLayer, openEngine, topK } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * const gate = topK({ k: 2, normalize: false });
 * using layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 4, gate });
 * ```
 * @throws {SchemoeError} for an unknown option.
 */
export function topK(options: TopKOptions = {}): Gate {
  const { k = 1, normalize = true, weighs = "output", ...others } = options;
  const [foreign] = Object.keys(others);
  if (foreign) fail(`"${foreign}" is not an option (k, normalize, weighs)`);
  if (typeof normalize !== "boolean") {
    fail(`normalize must be true or false, got ${quoted(normalize)}`);
  }
  return { name: "topK", k, weighs, ...kernels(normalize) };
}

const kernels = (normalize: boolean): Pick<Gate, "forward" | "backward" | "flops"> => ({
  forward(c) {
    const { scores, choices, weights } = c;
    return [
      gemm(
        matrix(c.x, c.tokens, c.modelDim, c.dtype),
        matrix(c.weight, c.experts, c.modelDim),
        logits(c),
        {
          transB: true,
        },
      ),
      softmax(c.tokens, c.experts, c.logits, scores),
      chooseTopK(c, { normalize, scores, choices, weights }),
      positions(c, { ...c, prioritized: c.batchPrioritized }),
      auxLoss(c, { scores, choices, loss: c.auxLoss }),
    ];
  },
  backward(c) {
    const x = matrix(c.x, c.tokens, c.modelDim, c.dtype);
    const weight = matrix(c.weight, c.experts, c.modelDim);
    return [
      gateGrad(c, { ...c, normalize, dLogits: c.logits }),
      gemm(logits(c), weight, matrix(c.dx, c.tokens, c.modelDim, c.dtype), { add: c.accumulate }),
      gemm(logits(c), x, matrix(c.dWeight, c.experts, c.modelDim), { transA: true }),
    ];
  },
  flops({ tokens, modelDim, experts }) {
    const product = 2 * tokens * modelDim * experts;
    return { forward: product, backward: 2 * product };
  },
});

const matrix = (view: View, rows: number, columns: number, dtype?: ElementType): Matrix => ({
  ...view,
  dtype,
  rows,
  columns,
  ld: columns,
  groups: 1,
  stride: rows * columns,
});
const logits = (c: GateContext) => matrix(c.logits, c.tokens, c.experts);

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the gate topK: ${problem}`);
}
