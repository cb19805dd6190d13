/** `checkNumbers`: the first NaN or infinity of a run by name, and no false alarm. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BUILT_IN,
  createLayer,
  createModel,
  createStack,
  type LayerConfig,
  type MoeLayer,
  openEngine,
  SchemoeError,
  swiglu,
  topK,
} from "../../mod.ts";
import { defaultKind } from "../../lib/engines/default_kind.ts";
import * as blocks from "../../lib/blocks/mod.ts";
import type { Gate, Loss } from "../../lib/blocks/mod.ts";
import type { Compressor } from "../../lib/compressors/types.ts";

const SIZES = { tokens: 12, modelDim: 8, hiddenDim: 10, experts: 4, gate: topK({ k: 2 }) };
const checkNumbers = true;
// SCHEMOE_ENGINE=cuda tries a GPU
const kind = defaultKind();
const open = (ranks = 2) =>
  openEngine({
    kind,
    nodes: 1,
    ranksPerNode: ranks,
    ...(kind === "cpu" ? { links: "plain" } : {}),
  });

const setOne = (layer: MoeLayer, name: string, at: number, value: number) =>
  layer.set({ [name]: layer.get(name).with(at, value) });
const inputs = (value: number, at: number, ranks = 2) =>
  new Float32Array(ranks * 12 * 8).map((_, i) => i === at ? value : Math.sin(i));

/** The message of a run that must fail with the status of a number that is not finite. */
async function found(run: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(run, SchemoeError);
  assertEquals(error.status, 11);
  return error.message;
}

const GATES: Readonly<Record<string, Gate>> = {
  softmax: topK({ k: 2 }),
  sigmoid: topK({ k: 2, scores: "sigmoid", groups: 2, groupLimit: 1, selectionBias: true }),
  ofChosen: topK({ k: 2, scores: "softmaxOfChosen", bias: true }),
  sqrtSoftplus: topK({ k: 3, scores: "sqrtSoftplus", identities: 2, weighs: "input" }),
  noisy: blocks.noisyTopK({ k: 2 }),
  cosine: blocks.cosineTopK({ k: 2, width: 4 }),
  relu: blocks.reluRouting({ k: 2 }),
  expertChoice: blocks.expertChoice({ k: 2 }),
  hashed: blocks.hashed({ k: 1, vocabulary: 16 }),
};
const EXPERTS = {
  ffn: blocks.ffn({ activation: "geluTanh" }),
  swiglu: swiglu(),
  geglu: blocks.geglu(),
  clamped: blocks.clampedSwiglu(),
};
const LOSSES: readonly Loss[] = [
  blocks.gshard({ weight: 0.1 }),
  blocks.switchBalance({ weight: 0.1 }),
  blocks.globalBatch({ weight: 0.1 }),
  blocks.sequence({ weight: 0.1 }),
  blocks.z({ weight: 0.1 }),
  blocks.importance({ weight: 0.1 }),
];

Deno.test("checkNumbers gives no false alarm: all gates, experts, losses, codecs, padded and dropless rows", async () => {
  using engine = open();
  let passes = 0;
  const both = async (config: Partial<LayerConfig>, choices: object = {}) => {
    using layer = createLayer(engine, { ...SIZES, ...config });
    await layer.forward({ ...choices, checkNumbers });
    await layer.backward({ ...choices, checkNumbers });
    passes += 2;
  };
  for (const [name, gate] of Object.entries(GATES)) {
    // expert choice has its own places
    for (const capacityFactor of name === "expertChoice" ? [1] : [0, 0.5]) {
      await both({ gate, routing: { capacityFactor } });
    }
  }
  for (const loss of LOSSES) await both({ losses: [loss] });
  await both({ gate: blocks.noisyTopK({ k: 2 }), losses: [blocks.load({ weight: 0.1 })] });
  for (const expert of Object.values(EXPERTS)) {
    await both({ expert, routing: { dropless: true } }, { chunks: 2 });
    await both({ shared: { hiddenDim: 6, expert, gate: "sigmoid" } });
  }
  for (const compressor of BUILT_IN.compressor) {
    for (const dropless of [false, true]) {
      await both({ routing: { dropless } }, { compressor, chunks: 2, scheduler: "optSche" });
    }
  }
  assert(passes > 70, `${passes}`);
});

Deno.test("checkNumbers names task, rank, tensor and element, and the parameter that held NaN", async () => {
  using engine = open();
  for (
    const [name, said] of [
      [
        "experts.w1",
        /^Cannot go on with these numbers: kernel gemm wrote NaN at row 0, column 3 of group 0, in task E\[0\] on rank 0, buffer "expert\.saved\.h"/,
      ],
      ["experts.w2", /in task E\[0\] on rank 0, buffer "expert\.y"/],
      [
        "gate.weight",
        /kernel \w+ wrote NaN at row 0, column 0, in task gate on rank 0, buffer "gate\./,
      ],
    ] as const
  ) {
    using layer = createLayer(engine, SIZES);
    setOne(layer, name, 3, NaN);
    await layer.forward();
    const message = await found(() => layer.forward({ checkNumbers }));
    assert(said.test(message), message);
    assert(message.endsWith(`; parameter "${name}" held NaN before, at element 3 on rank 0`));
    // the layer and the engine go on
    setOne(layer, name, 3, 0.5);
    await layer.forward({ checkNumbers });
  }
});

Deno.test("checkNumbers finds infinities of an input on the rank that has them, and of dy in backward", async () => {
  using engine = open();
  using layer = createLayer(engine, SIZES);
  const x = inputs(Infinity, 12 * 8 + 5 * 8 + 1);
  const message = await found(() => layer.forward({ x, checkNumbers }));
  assert(/wrote -?infinity at row 5, column \d, in task gate on rank 1/.test(message), message);
  assert(message.endsWith(`input "x" held Infinity before, at element 41 on rank 1`), message);
  await layer.forward({ x: inputs(1, 0), checkNumbers });
  const slopes = await found(() => layer.backward({ dy: inputs(-Infinity, 8), checkNumbers }));
  assert(/in task combine on rank 0, buffer/.test(slopes), slopes);
  assert(slopes.endsWith(`input "dy" held -Infinity before, at element 8 on rank 0`), slopes);
});

Deno.test("checkNumbers names the earliest task in the Program's order, whichever rank is faster", async () => {
  using engine = open(4);
  using layer = createLayer(engine, SIZES);
  for (let i = 0; i < 10; i++) {
    const x = inputs(NaN, 3 * 96 + 5, 4);
    x[2 * 96 + 77] = NaN;
    const message = await found(() =>
      layer.forward({ x, chunks: 2, scheduler: "optSche", checkNumbers })
    );
    assert(/in task gate on rank 2,/.test(message), message);
  }
});

Deno.test("checkNumbers finds a number that overflows on the way, and one that a codec cannot represent", async () => {
  using engine = open();
  using layer = createLayer(engine, { ...SIZES, routing: { capacityFactor: 0 } });
  const large = inputs(0, 0).map((x) => 1e6 * x);
  const half = await found(() => layer.forward({ x: large, compressor: "fp16", checkNumbers }));
  assert(/kernel decode wrote -?infinity at .*, in task D1\[0\] on rank \d/.test(half), half);
  setOne(layer, "experts.b2", 2, NaN);
  const gone = await found(() =>
    layer.forward({ x: inputs(1, 0), compressor: "zfp", checkNumbers })
  );
  // not the codec: the expert before it
  assert(/in task E\[0\] on rank 0, buffer "expert\.y"/.test(gone), gone);
  await assertRejects(
    () => layer.forward({ x: inputs(1, 0), compressor: "zfp" }),
    SchemoeError,
    "is not finite, which zfp",
  );
});

Deno.test("checkNumbers looks at what host functions of experts, gates and codecs write", async () => {
  using engine = open();
  const bytes = (floats: Float32Array) =>
    new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
  const expert = {
    ...swiglu(),
    name: "own",
    forward: (c: blocks.ExpertContext) => [
      c.host(({ rank, write }) => {
        const values = new Float32Array(c.y.groups * c.y.stride).fill(1);
        if (rank === 1) values[8 + 2] = NaN;
        write(c.y, bytes(values));
      }),
    ],
  };
  using layer = createLayer(engine, { ...SIZES, expert });
  const message = await found(() => layer.forward({ checkNumbers }));
  assert(
    /: there is NaN at row 1, column 2 of group 0, in task E\[0\] on rank 1, buffer "expert\.y"$/
      .test(message),
    message,
  );
  const codec: Compressor = {
    name: "own",
    wireBytes: ({ rows, columns }) => 4 * rows * columns,
    encode: (values) => bytes(values.slice()),
    decode: (coded) => new Float32Array(coded.slice().buffer).with(1, -Infinity),
  };
  using plain = createLayer(engine, SIZES);
  const decoded = await found(() => plain.forward({ compressor: codec, checkNumbers }));
  assert(/there is -infinity at row 0, column 1, in task D1\[0\] on rank 0/.test(decoded), decoded);
  const gate: Gate = {
    ...topK({ k: 2 }),
    name: "own",
    forward: (c) => [
      ...topK({ k: 2 }).forward(c),
      c.host(({ write }) => write(c.weights, bytes(Float32Array.of(NaN)))),
    ],
  };
  using gated = createLayer(engine, { ...SIZES, gate });
  const weight = await found(() => gated.forward({ checkNumbers }));
  assert(
    /there is NaN at row 0, column 0, in task gate on rank 0, buffer "gate\.weights"$/.test(weight),
    weight,
  );
});

Deno.test("checkNumbers works in stacks and in training steps", async () => {
  using engine = open();
  using stack = createStack(engine, { layer: SIZES, layers: 2 });
  await stack.forward({ checkNumbers });
  await stack.backward({ checkNumbers });
  const count = stack.parameters["L1.experts.w1"].reduce((a, b) => a * b, 1);
  stack.set({ "L1.experts.w1": new Float32Array(count).fill(NaN) });
  const message = await found(() => stack.forward({ checkNumbers }));
  assert(
    /in task L1\.E\[0\] on rank 0, buffer "L1\.expert\.saved\.h"; parameter "L1\.experts\.w1"/.test(
      message,
    ),
    message,
  );

  const attention = { heads: 2, keyValueHeads: 1, headDim: 4 };
  const layers = [{ moe: { experts: 4, hiddenDim: 6, gate: topK({ k: 2 }) } }];
  const sizes = { vocabulary: 7, context: 4, batch: 2, modelDim: 8, rate: 0.1, attention, layers };
  using model = createModel(engine, sizes);
  const tokens = new Int32Array(2 * 2 * 5).map((_, i) => i % 7);
  for (let i = 0; i < 3; i++) await model.step(tokens, { checkNumbers });
  await model.evaluate(tokens, { checkNumbers });
  using broken = createModel(engine, { ...sizes, rate: 1e38 });
  const step = await found(async () => {
    for (let i = 0; i < 3; i++) await broken.step(tokens, { checkNumbers });
  });
  assert(/wrote (NaN|-?infinity) at .* in task /.test(step), step);
});
