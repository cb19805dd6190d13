/**
 * Codecs against a reference on one rank: routing, rows and wire blocks are worked out here in
 * TypeScript, with decode(encode(rows)) at each of the four points; only the experts, the gate and the
 * dot products are single kernels of a one-rank engine.
 */
import { assert, assertEquals } from "@std/assert";
import {
  BUILT_IN,
  createLayer,
  type Engine,
  ffn,
  type Kernel,
  type LayerConfig,
  openEngine,
} from "../../mod.ts";
import { type ExpertContext, gshard, topK } from "../../lib/blocks/mod.ts";
import {
  chooseTopK,
  gateGrad,
  gemm,
  type Matrix,
  positions,
  rowDots,
  softmax,
} from "../../lib/kernels/mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";
import * as compressors from "../../lib/compressors/mod.ts";
import * as schedulers from "../../lib/schedulers/mod.ts";
import { throughLargest, throughScaled } from "../compressors/scaled_reference.ts";
import { throughZfp } from "../compressors/zfp_reference.ts";

const { fround } = Math;
const RANKS = 4;
const CHUNKS = 3;
const config = {
  tokens: 20,
  modelDim: 6,
  hiddenDim: 10,
  experts: 8,
  gate: topK({ k: 2 }),
  losses: [gshard({ weight: 0.05 })],
};
const { tokens, modelDim: M, experts: E } = config;
const K = 2;
const LOCAL = E / RANKS;
const expert = ffn({ activation: "gelu" });

const builtIn = (name: string) =>
  (compressors as unknown as Record<string, typeof compressors.none>)[name];

/** decode(encode(row)) of the codecs that code each row by itself. */
const ofRow: Record<string, (row: Float32Array) => Float32Array> = {
  none: (row) => row,
  fp16: (row) => new Float32Array(new Float16Array(row)),
  bf16: (row) =>
    row.map((value) => {
      const view = new DataView(new ArrayBuffer(4));
      view.setFloat32(0, value);
      const bits = view.getUint32(0);
      view.setUint32(0, ((bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000) >>> 0);
      return view.getFloat32(0);
    }),
  int8: (row) => {
    const [min, max] = [Math.min(...row), Math.max(...row)];
    const scale = fround(fround(max - min) / 255);
    return row.map((value) => {
      const q = scale === 0 ? 0 : Math.floor(fround(fround(fround(value - min) / scale) + 0.5));
      return fround(min + fround(Math.min(255, Math.max(0, q)) * scale));
    });
  },
};

const rowByRow = Object.fromEntries(
  Object.entries(ofRow).map(([name, through]) => [name, rowWise(through)]),
);

function rowWise(through: (row: Float32Array) => Float32Array) {
  return (rows: Float32Array) => {
    const out = new Float32Array(rows.length);
    for (let i = 0; i < rows.length; i += M) out.set(through(rows.slice(i, i + M)), i);
    return out;
  };
}

/** decode(encode(rows)) of the rows of an expert, written from the definitions of the formats. */
const throughWire: Record<string, (rows: Float32Array) => Float32Array> = {
  ...rowByRow,
  ...Object.fromEntries(
    ["fp8", "fp8e5m2", "mxfp8", "mxfp4", "int8Blocks", "int4"].map((
      name,
    ) => [name, rowWise((row) => throughScaled(name, row))]),
  ),
  topKValues: rowWise((row) => throughLargest(1, row)),
  zfp: (rows) => throughZfp(rows, { columns: M, rate: 8, dimensions: 2 }),
};

/** Runs kernels on a one-rank engine over named float32 (or int32) arrays, which they may change. */
async function kernels(
  engine: Engine,
  arrays: Record<string, Float32Array | Int32Array>,
  run: readonly Kernel[],
) {
  const g = new GraphBuilder(engine.topology, "forward", 0);
  for (const [name, values] of Object.entries(arrays)) g.buffer(name, values.byteLength);
  g.add({ kind: "opaque", label: "kernels", chunk: -1, stage: 0, after: [], kernels: () => run });
  const graph = g.build({});
  const workspace = engine.workspace();
  workspace.ensure(graph.buffers);
  for (const [name, values] of Object.entries(arrays)) workspace.write(name, 0, values);
  await engine.run(buildProgram(graph, graph.tasks, "test"), workspace);
  for (const values of Object.values(arrays)) {
    const name = Object.keys(arrays).find((key) => arrays[key] === values)!;
    new Uint8Array(values.buffer).set(workspace.read(name, 0, values.byteLength));
  }
  workspace.free();
}

const at = (buffer: string) => ({ buffer, offset: 0 });
const matrix = (buffer: string, rows: number, columns: number, groups = 1): Matrix => ({
  buffer,
  offset: 0,
  rows,
  columns,
  ld: columns,
  groups,
  stride: rows * columns,
});

interface Routing {
  readonly x: Float32Array;
  readonly scores: Float32Array;
  readonly choices: Int32Array;
  readonly weights: Float32Array;
  readonly positions: Int32Array;
}

async function route(engine: Engine, x: Float32Array, weight: Float32Array): Promise<Routing> {
  const arrays = {
    x,
    weight,
    logits: new Float32Array(tokens * E),
    scores: new Float32Array(tokens * E),
    choices: new Int32Array(tokens * K),
    weights: new Float32Array(tokens * K),
    positions: new Int32Array(tokens * K),
    loads: new Int32Array(E),
  };
  const choice = { tokens, experts: E, topK: K };
  const views = { scores: at("scores"), choices: at("choices"), weights: at("weights") };
  await kernels(engine, arrays, [
    gemm(matrix("x", tokens, M), matrix("weight", E, M), matrix("logits", tokens, E), {
      transB: true,
    }),
    softmax(tokens, E, at("logits"), at("scores")),
    chooseTopK(choice, { normalize: true, ...views }),
    positions(choice, {
      prioritized: false,
      ...views,
      positions: at("positions"),
      loads: at("loads"),
    }),
  ]);
  return arrays;
}

/** Rows [expert][place][M] of a rank to what arrives at the other side of the wire, chunk by chunk. */
function wire(rows: Float32Array, codec: string, ranges: readonly number[][]): Float32Array {
  const out = new Float32Array(rows.length);
  const capacity = ranges.at(-1)![1];
  for (let e = 0; e < E; e++) {
    for (const [begin, end] of ranges) {
      const [from, to] = [(e * capacity + begin) * M, (e * capacity + end) * M];
      out.set(throughWire[codec](rows.slice(from, to)), from);
    }
  }
  return out;
}

/** A chunk's rows for the experts of one rank, in the order (local expert, place, source rank), and back. */
function gather(
  rows: readonly Float32Array[],
  rank: number,
  [begin, end]: number[],
  capacity: number,
) {
  const out = new Float32Array(LOCAL * (end - begin) * RANKS * M);
  let to = 0;
  each(rank, [begin, end], (source, e, c) => {
    out.set(rows[source].subarray((e * capacity + c) * M, (e * capacity + c + 1) * M), to);
    to += M;
  });
  return out;
}
function scatter(
  out: Float32Array,
  rows: Float32Array[],
  rank: number,
  range: number[],
  capacity: number,
) {
  let from = 0;
  each(rank, range, (source, e, c) => {
    rows[source].set(out.subarray(from, from + M), (e * capacity + c) * M);
    from += M;
  });
}
function each(
  rank: number,
  [begin, end]: number[],
  visit: (source: number, e: number, c: number) => void,
) {
  for (let e = rank * LOCAL; e < (rank + 1) * LOCAL; e++) {
    for (let c = begin; c < end; c++) {
      for (let source = 0; source < RANKS; source++) visit(source, e, c);
    }
  }
}

Deno.test("codecs of the engine equal decode(encode()) at the four points on one rank, bit for bit", async () => {
  using one = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  // those in JavaScript are called by the same code as the one below
  const native = BUILT_IN.compressor.filter((name) => builtIn(name).native !== undefined);
  assertEquals(Object.keys(throughWire).toSorted(), native.toSorted());
  const pairs = [
    ["none", "none"],
    ["fp16", "fp16"],
    ["int8", "int8"],
    ["bf16", "bf16"],
    [
      "fp16",
      "int8",
    ],
    ["int8", "none"],
    ["zfp", "zfp"],
  ];
  for (const [dispatch, combine] of pairs) {
    for (const [backDispatch, backCombine] of [[dispatch, combine], ["int8", "fp16"]]) {
      await compare(one, engine, { dispatch, combine, backDispatch, backCombine });
    }
  }
});

async function compare(
  one: Engine,
  engine: Engine,
  codec: { dispatch: string; combine: string; backDispatch: string; backCombine: string },
) {
  using layer = createLayer(engine, { ...config, expert } as LayerConfig);
  const size = RANKS * tokens * M;
  const x = randomNormal(size, { seed: 21 });
  const dy = randomNormal(size, { seed: 22 });
  layer.set({ x, dy });
  await layer.ready();
  const parameter = (name: string) => layer.get(name);
  const choices = { scheduler: "optSche", allToAll: "pipe", chunks: CHUNKS, bound: false };
  const forward = await layer.forward({
    ...choices,
    compressor: { dispatch: codec.dispatch, combine: codec.combine },
  });
  const backward = await layer.backward({
    ...choices,
    compressor: { dispatch: codec.backDispatch, combine: codec.backCombine },
  });
  const capacity = forward.configuration.capacity as number;
  const ranges = Array.from(
    { length: CHUNKS },
    (_, i) => [Math.floor((i * capacity) / CHUNKS), Math.floor(((i + 1) * capacity) / CHUNKS)],
  );

  const weight = parameter("gate.weight");
  const routings: Routing[] = [];
  for (let rank = 0; rank < RANKS; rank++) {
    routings.push(await route(one, x.slice(rank * tokens * M, (rank + 1) * tokens * M), weight));
  }
  /** Calls back for each choice that has a place. */
  const placed = (r: Routing, visit: (token: number, choice: number, place: number) => void) => {
    for (let token = 0; token < tokens; token++) {
      for (let k = 0; k < K; k++) {
        const i = token * K + k;
        if (r.positions[i] < capacity) visit(token, k, r.choices[i] * capacity + r.positions[i]);
      }
    }
  };
  const emptyRows = () => Array.from({ length: RANKS }, () => new Float32Array(E * capacity * M));
  const sent = emptyRows();
  routings.forEach((r, rank) =>
    placed(
      r,
      (token, _, place) => sent[rank].set(r.x.subarray(token * M, (token + 1) * M), place * M),
    )
  );
  const arrived = sent.map((rows) => wire(rows, codec.dispatch, ranges));

  const shape = { modelDim: M, hiddenDim: config.hiddenDim };
  const grads = Object.fromEntries(
    expert.parameters(shape).map((
      { name, shape },
    ) => [name, new Float32Array(E * shape.reduce((a, b) => a * b))]),
  );
  const results = emptyRows();
  const state: Record<string, Float32Array>[][] = [];
  const runExpert = async (
    rank: number,
    range: number[],
    arrays: Record<string, Float32Array>,
    phase: "forward" | "inputGrad" | "weightGrad",
    first = true,
  ) => {
    const rows = (range[1] - range[0]) * RANKS;
    const two = (name: string) => {
      const found = expert.parameters(shape).find((p) => p.name === name)!;
      return found.shape.length === 1 ? [1, found.shape[0]] : found.shape;
    };
    const context = {
      shape,
      firstExpert: rank * LOCAL,
      experts: LOCAL,
      first,
      ...Object.fromEntries(
        ["x", "y", "dx", "dy"].map((name) => [name, matrix(name, rows, M, LOCAL)]),
      ),
      parameter: (name: string) => matrix(`p.${name}`, two(name)[0], two(name)[1], LOCAL),
      gradient: (name: string) => matrix(`g.${name}`, two(name)[0], two(name)[1], LOCAL),
      saved: (name: string) => matrix(`s.${name}`, rows, config.hiddenDim, LOCAL),
    } as unknown as ExpertContext;
    await kernels(one, arrays, expert[phase]!(context));
  };
  for (let rank = 0; rank < RANKS; rank++) {
    const own = Object.fromEntries(
      expert.parameters(shape).map(({ name }) => {
        const all = parameter(`experts.${name}`);
        return [
          `p.${name}`,
          all.slice((rank * all.length) / RANKS, ((rank + 1) * all.length) / RANKS),
        ];
      }),
    );
    state.push([]);
    for (const range of ranges) {
      const count = LOCAL * (range[1] - range[0]) * RANKS;
      const arrays: Record<string, Float32Array> = {
        ...own,
        x: gather(arrived, rank, range, capacity),
      };
      for (const name of ["y", "dx", "dy"]) arrays[name] = new Float32Array(count * M);
      for (const { name, columns } of expert.saved(shape)) {
        arrays[`s.${name}`] = new Float32Array(count * columns);
      }
      await runExpert(rank, range, arrays, "forward");
      state[rank].push(arrays);
      scatter(arrays.y, results, rank, range, capacity);
    }
  }
  const returned = results.map((rows) => wire(rows, codec.combine, ranges));
  const y = new Float32Array(size);
  const dX = new Float32Array(size);
  const dSent = emptyRows();
  const dWeights = routings.map(() => new Float32Array(tokens * K));
  for (const [rank, r] of routings.entries()) {
    const base = rank * tokens * M;
    placed(r, (token, k, place) => {
      for (let i = 0; i < M; i++) {
        const to = base + token * M + i;
        const w = r.weights[token * K + k];
        y[to] = fround(y[to] + fround(w * returned[rank][place * M + i]));
        dSent[rank][place * M + i] = fround(dy[to] * w);
      }
    });
    const arrays = {
      a: dy.slice(base, base + tokens * M),
      rows: returned[rank],
      out: dWeights[rank],
      choices: r.choices,
      positions: r.positions,
    };
    const places = {
      tokens,
      columns: M,
      topK: K,
      experts: E,
      chunks: [{ begin: 0, end: capacity }],
    };
    await kernels(one, arrays, [
      rowDots(places, {
        a: at("a"),
        rows: at("rows"),
        choices: at("choices"),
        positions: at("positions"),
        out: at("out"),
      }),
    ]);
  }
  const dArrived = dSent.map((rows) => wire(rows, codec.backCombine, ranges));
  const dResults = emptyRows();
  for (let rank = 0; rank < RANKS; rank++) {
    for (const [chunk, range] of ranges.entries()) {
      const arrays = state[rank][chunk];
      arrays.dy.set(gather(dArrived, rank, range, capacity));
      await runExpert(rank, range, arrays, "inputGrad");
      for (const [name, all] of Object.entries(grads)) {
        arrays[`g.${name}`] = all.slice(
          (rank * all.length) / RANKS,
          ((rank + 1) * all.length) / RANKS,
        );
      }
      await runExpert(rank, range, arrays, "weightGrad", chunk === 0);
      for (const [name, all] of Object.entries(grads)) {
        all.set(arrays[`g.${name}`], (rank * all.length) / RANKS);
      }
      scatter(arrays.dx, dResults, rank, range, capacity);
    }
  }
  const dReturned = dResults.map((rows) => wire(rows, codec.backDispatch, ranges));
  const dGate = new Float32Array(E * M);
  for (const [rank, r] of routings.entries()) {
    const arrays = {
      x: r.x,
      scores: r.scores,
      choices: r.choices,
      weights: r.weights,
      dWeights: dWeights[rank],
      weight,
      dLogits: new Float32Array(tokens * E),
      dx: new Float32Array(tokens * M),
      part: new Float32Array(E * M),
    };
    const dLogits = matrix("dLogits", tokens, E);
    await kernels(one, arrays, [
      gateGrad({ tokens, experts: E, topK: K }, {
        normalize: true,
        auxWeight: config.losses[0].weight,
        scores: at("scores"),
        choices: at("choices"),
        weights: at("weights"),
        dWeights: at("dWeights"),
        dLogits: at("dLogits"),
      }),
      gemm(dLogits, matrix("weight", E, M), matrix("dx", tokens, M)),
      gemm(dLogits, matrix("x", tokens, M), matrix("part", E, M), { transA: true }),
    ]);
    dGate.forEach((value, i) =>
      dGate[i] = rank === 0 ? arrays.part[i] : fround(value + arrays.part[i])
    );
    dX.set(arrays.dx, rank * tokens * M);
    placed(r, (token, _, place) => {
      for (let i = 0; i < M; i++) {
        const to = rank * tokens * M + token * M + i;
        dX[to] = fround(dX[to] + dReturned[rank][place * M + i]);
      }
    });
  }
  const where = JSON.stringify(codec);
  assert(y.some((value) => value !== 0) && dX.some((value) => value !== 0));
  assertEquals(forward.output, y, `y with ${where}`);
  assertEquals(backward.gradients!.x, dX, `grad.x with ${where}`);
  assertEquals(backward.gradients!["gate.weight"], dGate, `grad.gate.weight with ${where}`);
  for (const [name, values] of Object.entries(grads)) {
    assertEquals(
      backward.gradients![`experts.${name}`],
      values,
      `grad.experts.${name} with ${where}`,
    );
  }
}

Deno.test("the bytes column equals wireBytes of the slices for other ranks", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const layer = createLayer(engine, config as LayerConfig);
  for (const name of BUILT_IN.compressor) {
    const run = await layer.forward({ compressor: name, chunks: 4, allToAll: "linear" });
    const places = run.configuration.capacity as number;
    const codec = builtIn(name);
    const expected = [0, 1, 2, 3].map((i) => {
      const each = Math.floor(((i + 1) * places) / 4) - Math.floor((i * places) / 4);
      const groups = Array<number>(LOCAL).fill(each);
      return (RANKS - 1) * codec.wireBytes({ rows: LOCAL * each, columns: M, groups });
    });
    const rows = run.timeline.objects() as {
      rank: number;
      label: string;
      bytes: number;
      chunk: number;
    }[];
    for (const label of ["A1", "A2"]) {
      for (let rank = 0; rank < RANKS; rank++) {
        const bytes = rows.filter((row) => row.rank === rank && row.label === label).map((row) =>
          row.bytes
        );
        assertEquals(bytes, expected, `${name} ${label} rank ${rank}`);
      }
    }
  }
});

Deno.test("a codec written in TypeScript runs as a host operation and gives the built-in's bits", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const half = {
    name: "half",
    wireBytes: ({ rows, columns }: { rows: number; columns: number }) => 2 * rows * columns,
    encode: (values: Float32Array) => new Uint8Array(new Float16Array(values).buffer),
    decode: async (bytes: Uint8Array) => {
      await Promise.resolve();
      return new Float32Array(new Float16Array(bytes.buffer as ArrayBuffer));
    },
  };
  using layer = createLayer(engine, { ...config, experts: 4 } as LayerConfig);
  const choices = { chunks: 2, scheduler: "optSche", bound: false };
  const expected = await layer.forward({ ...choices, compressor: "fp16", results: true });
  const got = await layer.forward({ ...choices, compressor: half });
  assertEquals(got.output, expected.output);
});

Deno.test("four codecs chosen apart give the same bits under every scheduler and all-to-all", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, { ...config, expert } as LayerConfig);
  const [x, dy] = [21, 22].map((seed) => randomNormal(RANKS * tokens * M, { seed }));
  const passes = async (scheduler: string, allToAll: string) => {
    const choices = { scheduler, allToAll, chunks: 2 };
    const to = { ...choices, compressor: { dispatch: "fp8", combine: "zfp" } };
    const output = (await layer.forward({ ...to, x })).output!.slice();
    const back = { ...choices, compressor: { dispatch: "int8Blocks", combine: "mxfp8" } };
    const { gradients } = await layer.backward({ ...back, dy });
    return [output, gradients!.x.slice(), gradients!["experts.w1"].slice()];
  };
  const right = await passes("sequential", "linear");
  // other ways to split a pass are other blocks of zfp and other sums
  const alike = (name: string) => {
    const { chunking, reassociate } =
      (schedulers as unknown as Record<string, { chunking?: unknown; reassociate?: boolean }>)[
        name
      ];
    return chunking === undefined && !reassociate;
  };
  for (const scheduler of BUILT_IN.scheduler.filter(alike)) {
    assertEquals(await passes(scheduler, "pipe"), right, scheduler);
  }
  for (const allToAll of ["pairwise", "hierarchical2d", "bruck"]) {
    assertEquals(await passes("optSche", allToAll), right, allToAll);
  }
});
