/** A whole gate of bfloat16 tokens, part by part. @module */
import type { Engine, Workspace } from "../../engine.ts";
import { gemm } from "../../kernels/mod.ts";
import type { Matrix } from "../../kernels/types.ts";
import { gateBuffers } from "./gpu_gate_buffers.ts";
import { gateKernels, type NamedKernel } from "./gpu_gate_kernels.ts";
import { at, besideCopy } from "./gpu_rate.ts";
import type { Row } from "./report.ts";

/** A gate whose times were known before: tokens, width, experts, choices. */
const GATE = { tokens: 40_960, modelDim: 4096, rows: 128, k: 8 };

/** The gate in the configuration of a report. */
export const wholeGateSize = () => ({
  gate: Object.values(GATE).join(" x "),
  gateOf: "tokens x modelDim x experts x k",
});

/** Tokens of bfloat16 and a weight, so that logits differ: equal ones are what a choice takes longest for. */
function fillProduct(workspace: Workspace): void {
  const { tokens, modelDim, rows } = GATE;
  let state = 7;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
  // two values a word, of both signs and magnitudes from 1/8 to 1
  const half = () => (next() >>> 16 & 0x807f) | (124 + (next() >>> 30)) << 7;
  const block = Int32Array.from({ length: 1 << 20 }, () => half() | half() << 16);
  for (let at = 0; at < tokens * modelDim / 2; at += block.length) {
    workspace.write(
      "x",
      0,
      block.subarray(0, Math.min(block.length, tokens * modelDim / 2 - at)),
      4 * at,
    );
  }
  const weight = Float32Array.from({ length: rows * modelDim }, () => next() / 2 ** 38 - 1 / 128);
  workspace.write("weight", 0, weight);
}

/** Forward and backward of a softmax gate with bfloat16 tokens, each kernel beside the bytes it has to move. */
export async function wholeGate(engine: Engine): Promise<Row[]> {
  const { tokens, modelDim, rows, k } = GATE;
  const workspace = gateBuffers(engine, GATE);
  const wide = 2 * tokens * modelDim;
  workspace.ensure({
    x: wide,
    dx: wide,
    weight: 4 * rows * modelDim,
    dWeight: 4 * rows * modelDim,
    a: wide + 4 * tokens * rows,
    b: wide + 4 * tokens * rows,
    // of the peers, which multiply float32 alone
    x32: 2 * wide,
    dx32: 2 * wide,
  });
  fillProduct(workspace);
  const matrix = (
    buffer: string,
    [m, n]: readonly [number, number],
    dtype: Matrix["dtype"],
  ): Matrix => ({
    ...{ ...at(buffer), rows: m, columns: n, ld: n, groups: 1, stride: m * n, dtype },
  });
  const x = matrix("x", [tokens, modelDim], "bfloat16");
  const dx = matrix("dx", [tokens, modelDim], "bfloat16");
  const weight = matrix("weight", [rows, modelDim], "float32");
  const logits = matrix("logits", [tokens, rows], "float32");
  const dLogits = matrix("dLogits", [tokens, rows], "float32");
  const bytes = { logits: 4 * tokens * rows, weight: 4 * rows * modelDim };
  const products: NamedKernel[] = [
    [
      "forward: product",
      wide + bytes.weight + bytes.logits,
      gemm(x, weight, logits, { transB: true }),
    ],
    ["backward: gradient of x", bytes.logits + bytes.weight + wide, gemm(dLogits, weight, dx)],
    [
      "backward: gradient of x, added",
      bytes.logits + bytes.weight + 2 * wide,
      gemm(dLogits, weight, dx, { add: true }),
    ],
    [
      "backward: gradient of the weight",
      bytes.logits + wide + bytes.weight,
      gemm(dLogits, x, matrix("dWeight", [rows, modelDim], "float32"), { transA: true }),
    ],
  ];
  const x32 = matrix("x32", [tokens, modelDim], "float32");
  const dx32 = matrix("dx32", [tokens, modelDim], "float32");
  const wider = 2 * wide + bytes.weight + bytes.logits;
  products.push(
    ["cuBLAS in float32: product", wider, gemm(x32, weight, logits, { transB: true })],
    ["cuBLAS in float32: gradient of x", wider, gemm(dLogits, weight, dx32)],
    [
      "cuBLAS in float32: gradient of the weight",
      wider,
      gemm(dLogits, x32, matrix("dWeight", [rows, modelDim], "float32"), { transA: true }),
    ],
  );
  const parts = [
    "route softmax",
    "softmax",
    "top_k",
    "positions",
    "gate_grad",
    "route_grad softmax",
  ];
  const others = gateKernels(GATE).filter(([name]) => parts.includes(name));
  const result: Row[] = [];
  for (const [kernel, size, call] of [...products, ...others]) {
    const times = await besideCopy(engine, workspace, size, call);
    result.push({ experts: rows, k, kernel: `gate, ${kernel}`, ...times });
  }
  workspace.free();
  return result;
}
