/** Kernels of gates beside a copy of the same bytes, and the parts of a gate. @module */
import { openCudaEngine } from "../../engines/mod.ts";
import type { Engine, Workspace } from "../../engine.ts";
import {
  addNoise,
  balanceLoss,
  chooseTokens,
  chooseTopK,
  countChoices,
  gateGrad,
  gemm,
  importanceLoss,
  loadLoss,
  noiseGrad,
  placeChoices,
  positions,
  quantileBias,
  route,
  routeGrad,
  softmax,
  temper,
  zLoss,
} from "../../kernels/mod.ts";
import type { Matrix } from "../../kernels/types.ts";
import type { Kernel, View } from "../../types.ts";
import { at, copyBytes, REPETITIONS, timeOf, world } from "./gpu_rate.ts";
import { hundredths, type Report, type Row } from "./report.ts";

const TOKENS = 32_768;
const SHAPES = [[64, 1], [64, 6], [128, 8], [256, 8], [512, 10], [512, 22]] as const;
const MATRICES = ["logits", "scores", "clean", "spread", "noise", "dLogits", "dSpread"] as const;
const OF_CHOICES = ["weights", "dWeights"] as const;
const OF_ROWS = ["bias", "counts", "balance", "importance", "slopes", "next"] as const;
const NUMBERS = ["loss", "total", "temperature", "dTemperature"] as const;
const INTEGERS = ["choices", "targets", "positions", "loads"] as const;
const NAMES = [...MATRICES, ...OF_CHOICES, ...OF_ROWS, ...NUMBERS, ...INTEGERS] as const;
/** A gate whose times were known before: tokens, width, experts, choices. */
const GATE = { tokens: 40_960, modelDim: 4096, rows: 128, k: 8 };

/** Every kernel that works on logits, and a whole gate part by part. */
export async function benchGpuGates(): Promise<Report> {
  using engine = openCudaEngine({ topology: world });
  const rows: Row[] = [];
  for (const [experts, k] of SHAPES) {
    const workspace = fill(engine, { tokens: TOKENS, rows: experts, k });
    const shape = { tokens: TOKENS, rows: experts, k };
    for (const [kernel, bytes, call] of kernelsOf(shape)) {
      rows.push(await beside(engine, workspace, { experts, k, kernel, bytes, call }));
    }
    workspace.free();
  }
  rows.push(...await wholeGate(engine));
  return { configuration: { tokens: TOKENS, repetitions: REPETITIONS, ...gateWords() }, rows };
}

const gateWords = () => ({
  gate: Object.values(GATE).join(" x "),
  gateOf: "tokens x modelDim x experts x k",
});

interface Shape {
  readonly tokens: number;
  readonly rows: number;
  readonly k: number;
}

/** One kernel, and a copy that reads and writes as many bytes in all. */
async function beside(
  engine: Engine,
  workspace: Workspace,
  { kernel, bytes, call, ...words }: {
    experts: number;
    k: number;
    kernel: string;
    bytes: number;
    call: Kernel;
  },
): Promise<Row> {
  const copy = await timeOf(engine, workspace, copyBytes(Math.ceil(bytes / 8) * 4));
  const time = await timeOf(engine, workspace, call);
  return {
    ...words,
    kernel,
    mb: hundredths(bytes / 1e6),
    us: hundredths(time / 1e3),
    copyUs: hundredths(copy / 1e3),
    ofCopy: hundredths(copy / time),
  };
}

/** Buffers with normal logits, positive scores and distinct choices. */
function fill(engine: Engine, { tokens, rows, k }: Shape): Workspace {
  const workspace = engine.workspace();
  const each = tokens * rows;
  const chosen = tokens * k;
  const values = (count: number, of: (i: number) => number) =>
    Float32Array.from({ length: count }, (_, i) => of(i));
  let state = 1;
  const uniform =
    () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0, (state + 1) / 2 ** 32);
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const block = values(1_000_003, normal);
  for (const name of MATRICES) {
    workspace.ensure({ [name]: 4 * each });
    for (let i = 0; i < each; i += block.length) {
      workspace.write(name, 0, block.subarray(0, Math.min(block.length, each - i)), 4 * i);
    }
  }
  const small = (names: readonly string[], count: number) => {
    for (const name of names) {
      workspace.ensure({ [name]: 4 * count });
      workspace.write(name, 0, values(count, () => 0.5 + uniform() / 2));
    }
  };
  small(OF_CHOICES, chosen);
  small(OF_ROWS, rows);
  small(NUMBERS, 1);
  workspace.ensure({
    choices: 4 * chosen,
    targets: 4 * chosen,
    positions: 4 * chosen,
    loads: 4 * rows,
  });
  workspace.ensure({ dense: 4 * each, a: 4 * 4 * each, b: 4 * 4 * each });
  workspace.write(
    "choices",
    0,
    Int32Array.from({ length: chosen }, (_, i) => {
      const token = Math.floor(i / k);
      return (token * 7 + (i - token * k) * 5 + Math.floor(token / 3)) % rows;
    }),
  );
  return workspace;
}

/** Each kernel with the bytes that it cannot do without. */
function kernelsOf(shape: Shape): [string, number, Kernel][] {
  const { tokens, rows, k } = shape;
  const matrix = 4 * tokens * rows;
  const list = 4 * tokens * k;
  const v = Object.fromEntries(NAMES.map((name) => [name, at(name)])) as Record<
    (typeof NAMES)[number],
    View
  >;
  const of = (scores: "softmax" | "sigmoid" | "sqrtSoftplus" | "softmaxOfChosen", more = {}) => ({
    ...{ scores, chosen: "largest" as const, normalize: true, scale: 2.5 },
    ...more,
  });
  const plain = { logits: v.logits, scores: v.scores, choices: v.choices, weights: v.weights };
  const groups = { groups: 8, groupLimit: 4 };
  const topK = { tokens, experts: rows, topK: k };
  const grad = { ...plain, dWeights: v.dWeights, dLogits: v.dLogits };
  const losses = { loss: v.loss, total: v.total };
  const place = { scores: v.scores, choices: v.choices, positions: v.positions, loads: v.loads };
  const noisy = { clean: v.clean, spread: v.spread, noise: v.noise, logits: v.logits };
  return [
    ["route softmax", 2 * matrix + 2 * list, route(shape, of("softmax"), plain)],
    ["route softmaxOfChosen", 2 * matrix + 2 * list, route(shape, of("softmaxOfChosen"), plain)],
    [
      "route sigmoid, bias, groups",
      2 * matrix + 2 * list,
      route(shape, of("sigmoid", groups), { ...plain, bias: v.bias }),
    ],
    [
      "route sqrtSoftplus, bias",
      2 * matrix + 2 * list,
      route(shape, of("sqrtSoftplus"), { ...plain, bias: v.bias }),
    ],
    ["softmax", 2 * matrix, softmax(tokens, rows, v.logits, v.scores)],
    ["top_k", matrix + 2 * list, chooseTopK(topK, { normalize: true, ...plain })],
    ["positions", 2 * list, positions(topK, { prioritized: false, ...place })],
    [
      "place_choices",
      3 * list,
      placeChoices(shape, { experts: rows, prioritized: false }, { ...place, targets: v.targets }),
    ],
    [
      "place_choices prioritized",
      matrix + 3 * list,
      placeChoices(shape, { experts: rows, prioritized: true }, { ...place, targets: v.targets }),
    ],
    ["count_choices", list, countChoices(shape, k, { choices: v.choices, counts: v.counts })],
    [
      "gate_grad",
      2 * matrix + 3 * list,
      gateGrad(topK, { normalize: true, auxWeight: 0.1, ...grad }),
    ],
    [
      "route_grad softmax",
      2 * matrix + 2 * list,
      routeGrad(shape, { ...of("softmax"), zWeight: 0 }, { ...grad, balance: v.balance }),
    ],
    [
      "route_grad sigmoid",
      2 * matrix + 2 * list,
      routeGrad(shape, { ...of("sigmoid"), zWeight: 0 }, { ...grad, balance: v.balance }),
    ],
    [
      "route_grad, z",
      3 * matrix + 2 * list,
      routeGrad(shape, { ...of("softmaxOfChosen"), zWeight: 0.1 }, { ...grad, balance: v.balance }),
    ],
    [
      "choose_tokens",
      2 * matrix,
      chooseTokens({ tokens, experts: rows, count: Math.floor(tokens * k / rows) }, {
        ...plain,
        choices: at("dense"),
      }),
    ],
    [
      "balance_loss softmax",
      matrix,
      balanceLoss(shape, { scores: "softmax", factor: 1, weight: 0.1 }, {
        scores: v.scores,
        counts: v.counts,
        balance: v.balance,
        ...losses,
      }),
    ],
    [
      "balance_loss sigmoid",
      matrix,
      balanceLoss(shape, { scores: "sigmoid", factor: 1, weight: 0.1 }, {
        scores: v.scores,
        counts: v.counts,
        balance: v.balance,
        ...losses,
      }),
    ],
    ["z_loss", matrix, zLoss(shape, 0.1, { logits: v.logits, ...losses })],
    [
      "importance_loss",
      2 * list,
      importanceLoss(shape, 0.1, {
        choices: v.choices,
        weights: v.weights,
        importance: v.importance,
        ...losses,
      }),
    ],
    [
      "load_loss",
      3 * matrix,
      loadLoss(shape, 0.1, {
        clean: v.clean,
        spread: v.spread,
        logits: v.logits,
        slopes: v.slopes,
        ...losses,
      }),
    ],
    ["add_noise", 4 * matrix, addNoise(tokens * rows, noisy)],
    [
      "noise_grad",
      7 * matrix,
      noiseGrad(shape, { ...noisy, dLogits: v.dLogits, dSpread: v.dSpread, slopes: v.slopes }),
    ],
    [
      "quantile_bias",
      matrix,
      quantileBias(shape, { logits: v.clean, bias: v.bias, out: at("next") }),
    ],
    ["temper", 2 * matrix, temper(tokens * rows, { z: v.spread, temperature: v.temperature })],
    [
      "temper gradient",
      3 * matrix,
      temper(tokens * rows, {
        z: v.logits,
        temperature: v.temperature,
        dz: v.dLogits,
        dTemperature: v.dTemperature,
      }),
    ],
  ];
}

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
async function wholeGate(engine: Engine): Promise<Row[]> {
  const { tokens, modelDim, rows, k } = GATE;
  const workspace = fill(engine, GATE);
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
  const products: [string, number, Kernel][] = [
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
  const others = kernelsOf(GATE).filter(([name]) => parts.includes(name));
  const result: Row[] = [];
  for (const [kernel, size, call] of [...products, ...others]) {
    const row = await beside(engine, workspace, { experts: rows, k, kernel, bytes: size, call });
    result.push({ ...row, kernel: `gate, ${kernel}` });
  }
  workspace.free();
  return result;
}
