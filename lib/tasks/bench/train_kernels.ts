/** Times of the kernels around the layers of a model, in bfloat16 on one GPU. @module */
import { adamwUpdate, add, attend, attendGrad, crossEntropy } from "../../kernels/mod.ts";
import { norm, normGrad, normWeightGrad, rotary, round, sumValues } from "../../kernels/mod.ts";
import { openCudaEngine } from "../../engines/mod.ts";
import type { Kernel } from "../../types.ts";
import { at, timeOf, world } from "./gpu_rate.ts";
import { hundredths, type Row } from "./report.ts";

/** Sizes of a model. */
export interface TrainKernelSizes {
  readonly batch: number;
  readonly context: number;
  readonly modelDim: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly vocabulary: number;
}

/** Parameters of an update. */
const UPDATED = 1 << 26;
/** Rows of logits. */
const ROWS = 4096;

/** A row for each kernel: milliseconds, and TFLOP/s or TB/s of what it cannot do without. */
export async function trainKernels(sizes: TrainKernelSizes): Promise<Row[]> {
  const { batch, context: length, modelDim: columns, heads, keyValueHeads, headDim } = sizes;
  const tokens = batch * length, dtype = "bfloat16";
  using engine = openCudaEngine({ topology: world });
  const workspace = engine.workspace();
  const names = ["q", "k", "v", "out", "dout", "dq", "dk", "dv"];
  const bytes = 2 * tokens * heads * headDim;
  const sums = { logsum: 4 * batch * heads * length, statistics: 8 * tokens };
  workspace.ensure({
    ...Object.fromEntries(names.map((name) => [name, bytes])),
    ...sums,
    weight: 4 * columns,
    gradient: 4 * columns,
    logits: 2 * ROWS * sizes.vocabulary,
    targets: 4 * ROWS,
    loss: 4 * ROWS,
    ...Object.fromEntries(["p", "g", "m", "s"].map((name) => [name, 4 * UPDATED])),
    stored: 2 * UPDATED,
    clip: 8,
    rates: 12,
  });
  const random = Uint16Array.from({ length: bytes / 2 }, (_, i) => 0x3f00 + (i * 40503 >> 5) % 160);
  for (const name of ["q", "k", "v", "dout", "out"]) workspace.write(name, 0, random);
  workspace.write("weight", 0, new Float32Array(columns).fill(1));
  workspace.write("targets", 0, new Int32Array(ROWS));
  workspace.write("logits", 0, new Uint16Array(ROWS * sizes.vocabulary).fill(0x3f80));
  for (const name of ["p", "g", "m", "s"]) {
    workspace.write(name, 0, new Float32Array(UPDATED).fill(0.01));
  }
  workspace.write("clip", 0, Float32Array.of(1, 1));
  workspace.write("rates", 0, Float32Array.of(1e-3, 0.1, 0.1));
  const attention = { batch, length, heads, keyValueHeads, headDim, dtype } as const;
  const [q, k, v, out, logsum] = ["q", "k", "v", "out", "logsum"].map(at);
  const [dout, dq, dk, dv] = ["dout", "dq", "dk", "dv"].map(at);
  const shape = { centered: false, rows: tokens, columns, dtype } as const;
  const [weight, gradient, statistics] = ["weight", "gradient", "statistics"].map(at);
  const [p, g, m, s, stored] = ["p", "g", "m", "s", "stored"].map(at);
  const scores = 2 * batch * heads * length * length * headDim;
  const row = 2 * tokens * columns;
  const turned = { tokens, length, heads, dim: headDim, dtype } as const;
  const logits = { rows: ROWS, columns: sizes.vocabulary, logits: at("logits"), dtype } as const;
  const options = { betas: [0.9, 0.95], epsilon: 1e-8, decay: 0.1 } as const;
  const update = { parameter: p, gradient: g, first: m, second: s };
  const rates = { clip: at("clip"), rates: at("rates") };
  const list: [string, Kernel, { flops?: number; bytes?: number }][] = [
    ["attention", attend(attention, { q, k, v, out, logsum }), { flops: scores }],
    [
      "attention_grad",
      attendGrad(attention, { q, k, v, out, logsum, dout, dq, dk, dv }),
      { flops: 2.5 * scores },
    ],
    ["rotary", rotary(turned, { x: dq, base: 1e4, back: false }), { bytes: 2 * row }],
    ["norm", norm(shape, { x: q, weight, y: dq, statistics, epsilon: 1e-5 }), { bytes: 2 * row }],
    [
      "norm_grad",
      normGrad(shape, { dy: k, x: q, weight, statistics, dx: dq, add: true }),
      { bytes: 4 * row },
    ],
    [
      "norm_weight_grad",
      normWeightGrad(shape, { dy: k, x: q, statistics, weight: gradient }),
      { bytes: 2 * row },
    ],
    ["add", add(tokens * columns, q, k, dq, dtype), { bytes: 3 * row }],
    [
      "cross_entropy",
      crossEntropy({ ...logits, targets: at("targets"), loss: at("loss"), scale: 1 }),
      { bytes: 4 * ROWS * sizes.vocabulary },
    ],
    ["adamw", adamwUpdate(UPDATED, { ...update, ...rates }, options), { bytes: 28 * UPDATED }],
    ["round", round(UPDATED, p, stored), { bytes: 6 * UPDATED }],
    [
      "sum_values",
      sumValues({ squares: true, count: UPDATED, x: g, out: at("loss") }),
      { bytes: 4 * UPDATED },
    ],
  ];
  const rows: Row[] = [];
  for (const [kernel, call, { flops, bytes = 0 }] of list) {
    const nanoseconds = await timeOf(engine, workspace, call);
    rows.push({
      kernel,
      ms: Math.round(nanoseconds / 1e3) / 1e3,
      ...(flops === undefined
        ? { TBs: hundredths(bytes / nanoseconds / 1e3) }
        : { TFLOPs: hundredths(flops / nanoseconds / 1e3) }),
    });
  }
  return rows;
}
