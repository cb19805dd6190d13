import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  BUILT_IN,
  createModel,
  type Expert,
  type ModelConfig,
  openEngine,
  SchemoeError,
} from "../../mod.ts";
import {
  cosineTopK,
  ffn,
  gshard,
  hashed,
  noisyTopK,
  signUpdate,
  swiglu,
  topK,
} from "../../lib/blocks/mod.ts";
import { countRows, glu } from "../../lib/kernels/mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";
import { spawnWorkers } from "../../lib/workers/mod.ts";
import type { Engine } from "../../lib/engine.ts";
import type { PassChoices } from "../../lib/layer/mod.ts";
import type { MoeConfig, MoeModel } from "../../lib/model/mod.ts";
import { pack } from "../../lib/program/mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { topology } from "../../mod.ts";
import { byCapacity } from "../schedulers/by_capacity.ts";

const open = (ranksPerNode = 1, nodes = 1) =>
  openEngine({ kind: "cpu", nodes, ranksPerNode, links: "plain" });

const config = (moe: Partial<MoeConfig>, more: Partial<ModelConfig> = {}): ModelConfig => {
  const layer: MoeConfig = {
    ...{ experts: 4, hiddenDim: 10, gate: topK({ k: 2 }), routing: { dropless: true } },
    ...{ losses: [gshard({ weight: 0.1 })], ...moe },
  };
  return {
    ...{ vocabulary: 11, context: 8, batch: 4, modelDim: 12, rate: 0.01 },
    ...{ attention: { heads: 2 }, ...more },
    layers: [{ moe: layer }, { ffn: { hiddenDim: 16, expert: swiglu() } }, { moe: layer }],
  };
};

/** The same with a copy of the expert, which does not say that its rows may be counted. */
const uncounted = (moe: Partial<MoeConfig>, more?: Partial<ModelConfig>): ModelConfig => {
  const { layers, ...others } = config(moe, more);
  return {
    ...others,
    layers: layers.map((block) =>
      "moe" in block
        ? { moe: { ...block.moe, expert: { ...(block.moe.expert as Expert ?? ffn()) } } }
        : block
    ),
  };
};

const tokens = (step: number, ranks = 1) =>
  Int32Array.from({ length: ranks * 4 * 9 }, (_, i) => (i * i + step * (i % 5)) % 11);

/** Scores of gates that are all alike: every token goes to the first two experts. */
const skewed = (model: MoeModel) => {
  for (const block of [0, 2]) {
    model.set({ [`blocks.${block}.moe.gate.weight`]: new Float32Array(4 * 12) });
  }
};

async function trained(
  of: ModelConfig,
  choices: PassChoices = {},
  { ranksPerNode = 1, nodes = 1, begin, engine: given }: {
    engine?: Engine;
    ranksPerNode?: number;
    nodes?: number;
    begin?: (model: MoeModel) => void;
  } = {},
) {
  using own = given ? undefined : open(ranksPerNode, nodes);
  const engine = given ?? own!;
  const { ranks } = engine.topology;
  using model = createModel(engine, of);
  begin?.(model);
  const values: unknown[] = [await model.evaluate(tokens(7, ranks), choices)];
  const programs: unknown[][] = [];
  for (let step = 0; step < 4; step++) {
    const { loss, gradNorm, layerLoads, ran } = await model.step(tokens(step, ranks), choices);
    values.push([loss, gradNorm, layerLoads!.map((list) => [...list])]);
    programs.push(ran.map(({ program }) => program));
  }
  values.push(await model.evaluate(tokens(8, ranks), choices));
  for (const name of Object.keys(model.parameters)) values.push([...await model.read(name)]);
  return { text: JSON.stringify(values), programs, bytes: model.memory().peak };
}

const cases: Readonly<Record<string, readonly [Partial<MoeConfig>, Partial<ModelConfig>?]>> = {
  "two layers": [{}],
  "biases and a gated expert in bfloat16": [{ expert: swiglu() }, { dtype: "bfloat16" }],
  "microbatches": [{}, { microbatches: 2 }],
  "a shared expert": [{ shared: { hiddenDim: 8, expert: ffn(), gate: "sigmoid" } }],
  "latent rows": [{ latentDim: 6 }],
  "weights on the inputs": [{ gate: topK({ k: 2, weighs: "input" }) }],
  "gradients of weights from activations": [{ expert: ffn({ scoreGradient: "activation" }) }],
  "the same of a gated expert in bfloat16, in microbatches": [
    { expert: swiglu({ scoreGradient: "activation" }) },
    { dtype: "bfloat16", microbatches: 2 },
  ],
  "a gate with noise": [{ gate: noisyTopK({ k: 2 }) }],
  "a gate of cosines": [{ gate: cosineTopK({ k: 1, width: 4 }) }],
  "a gate of token numbers": [{ gate: hashed({ k: 1, vocabulary: 11 }) }],
};

for (const microbatches of [1, 2]) {
  Deno.test(`a layer that cannot count beside one that can: all are cut, in ${microbatches} microbatches`, async () => {
    const layersOf = (of: ModelConfig) => of.layers as readonly { readonly moe: MoeConfig }[];
    const [counts, cut] = [config({}, { microbatches }), uncounted({}, { microbatches })];
    const dense = counts.layers[1];
    for (const ranksPerNode of [1, 2]) {
      const expected = await trained(cut, {}, { ranksPerNode });
      for (const first of [true, false]) {
        const [one, other] = first ? [counts, cut] : [cut, counts];
        const layers = [layersOf(one)[0], dense, layersOf(other)[2]];
        const mixed = await trained({ ...counts, layers }, {}, { ranksPerNode });
        assert(mixed.text === expected.text, `${ranksPerNode} ranks, ${first}`);
      }
    }
  });
}

for (const [name, [moe, more]] of Object.entries(cases)) {
  Deno.test(`a step on one rank counts its rows as it runs, one Program for all: ${name}`, async () => {
    const [counted, cut] = [await trained(config(moe, more)), await trained(uncounted(moe, more))];
    assert(counted.text === cut.text);
    const { microbatches = 1 } = more ?? {};
    for (const [step, programs] of counted.programs.entries()) {
      assertEquals(programs.length, 1);
      assertStrictEquals(programs[0], counted.programs[0][0]);
      assertEquals(cut.programs[step].length, 1 + 2 * microbatches);
    }
    assert(counted.bytes <= cut.bytes);
  });
}

const world = { ranksPerNode: 2, nodes: 2 };

for (const [name, [moe, more = {}]] of Object.entries(cases)) {
  Deno.test(`a step on several ranks counts its rows as it runs, one Program for all: ${name}`, async () => {
    for (const [ranksPerNode, nodes] of [[2, 1], [2, 2]]) {
      const run = (of: ModelConfig) => trained(of, {}, { ranksPerNode, nodes });
      const [counted, cut] = [await run(config(moe, more)), await run(uncounted(moe, more))];
      assert(counted.text === cut.text);
      const programs = counted.programs.map((list) => list.length);
      assertEquals(programs, [1, 1, 1, 1]);
      // some may have had too little room
      assert(new Set(counted.programs.flat()).size < 4);
      const { microbatches = 1 } = more;
      assertEquals(cut.programs.map((list) => list.length), Array(4).fill(1 + 2 * microbatches));
    }
  });
}

Deno.test("a step whose experts get more rows than there is room for runs again, with the same bits", async () => {
  const updated = topK({ k: 2, update: signUpdate({ rate: 0.1 }) });
  const cases: [moe: Parameters<typeof config>[0], more: Parameters<typeof config>[1]][] = [
    [{}, {}],
    [{}, { microbatches: 2 }],
    [{ gate: updated }, {}],
  ];
  for (const [moe, more] of cases) {
    for (const ranksPerNode of [2, 4]) {
      const run = (of: ModelConfig) => trained(of, {}, { ranksPerNode, begin: skewed });
      const [counted, cut] = [await run(config(moe, more)), await run(uncounted(moe, more))];
      assert(counted.text === cut.text);
      assertEquals(counted.programs.map((list) => list.length), [1, 1, 1, 1]);
    }
  }
});

Deno.test("steps of two processes know their rows before, with the bits of one process that counts them", async () => {
  await using workers = await spawnWorkers(1);
  using engine = await workers.openEngine({ nodes: 2, ranksPerNode: 2, links: "plain" });
  const alone = await trained(config({}), {}, { ...world, begin: skewed });
  const both = await trained(config({}), {}, { engine, begin: skewed });
  assert(both.text === alone.text);
  assertEquals(both.programs.map((list) => list.length), [3, 3, 3, 3]);
});

Deno.test("steps on emulated links and in paced time know their rows before, which their times depend on", async () => {
  for (const how of [{ links: "emulated" }, { links: "plain", computation: "paced" }] as const) {
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, ...how });
    const { programs } = await trained(config({}), {}, { engine });
    assertEquals(programs.map((list) => list.length), [3, 3, 3, 3]);
  }
});

Deno.test("schedulers and all-to-alls change no bit of steps of several ranks whose rows are counted", async () => {
  const of = config({ shared: { hiddenDim: 8, expert: ffn(), gate: "none" } });
  const { text } = await trained(of, { scheduler: "sequential" }, world);
  for (const scheduler of byCapacity) {
    const { text: got } = await trained(of, { scheduler }, world);
    assert(got === text, scheduler);
  }
  for (const allToAll of BUILT_IN.allToAll) {
    const { text: got } = await trained(of, { allToAll }, world);
    assert(got === text, allToAll);
  }
});

Deno.test("schedulers change no bit of steps whose rows are counted", async () => {
  const of = config({ shared: { hiddenDim: 8, expert: ffn(), gate: "none" } });
  const { text } = await trained(of, { scheduler: "sequential" });
  for (const scheduler of byCapacity) {
    const { text: got, programs } = await trained(of, { scheduler });
    assert(got === text, scheduler);
    assertEquals(programs[0].length, 1, scheduler);
  }
});

Deno.test("steps in chunks, with codecs, or on several ranks with slices that others pass on know their rows before", async () => {
  for (const choices of [{ chunks: 2 }, { compressor: "int8" }]) {
    const { programs } = await trained(config({}), choices);
    assertEquals(programs.map((list) => list.length), [3, 3, 3, 3]);
  }
  const several = async (choices: PassChoices) => {
    const { programs } = await trained(config({}), choices, world);
    return programs.map((list) => list.length);
  };
  assertEquals(await several({ chunks: 2 }), [3, 3, 3, 3]);
  assertEquals(await several({ compressor: "int8" }), [3, 3, 3, 3]);
  assertEquals(await several({ allToAll: "hierarchical2d" }), [3, 3, 3, 3]);
  assertEquals(await several({ allToAll: "pairwise" }), [1, 1, 1, 1]);
});

Deno.test("pack() refers to rows by the kernel that counts them, and refuses those that none or two have counted", () => {
  const world = topology({ nodes: 1, ranksPerNode: 1 });
  const packed = (counts: number) => {
    const g = new GraphBuilder(world, "forward", 1);
    const x = g.buffer("x", 96), loads = g.buffer("loads", 8);
    const counted = { experts: 2, rows: 6, ranks: 1, rank: 0, room: 6 };
    const matrix = { ...x, rows: 6, columns: 4, ld: 4, groups: 2, stride: NaN, counted };
    g.add({
      ...{ kind: "expert", label: "E", chunk: 0, stage: 0, after: [], uses: [x, loads] },
      kernels: () => [
        ...Array.from({ length: counts }, () => countRows(counted, loads)),
        glu(matrix, matrix, matrix, "silu"),
      ],
    });
    const graph = g.build({});
    const ids = ["x", "loads"];
    const program = buildProgram(graph, graph.tasks, "mine");
    return pack(program, {
      place: (name) => ({ id: ids.indexOf(name) }),
      seconds: () => undefined,
    }).bytes;
  };
  const words = new BigInt64Array(packed(1).buffer, 32 + 40);
  // number, experts, rows and the loads of the first kernel, and the number at the end of the second
  assertEquals([...words.subarray(0, 6)], [81n | 5n << 32n, 0n, 2n, 6n, 1n, 0n]);
  assertEquals(words.at(-1), 0n);
  assertEquals(words.length, 6 + 1 + 4 + 3 * 4 + 1 + 1);
  assertThrows(
    () => packed(0),
    SchemoeError,
    'Cannot pack the kernel "glu": no kernel before it counts its rows',
  );
  assertThrows(
    () => packed(2),
    SchemoeError,
    'Cannot pack the kernel "count_rows": its rows are counted twice',
  );
});
