import { assert, assertEquals, assertLess, assertRejects, assertThrows } from "@std/assert";
import {
  BUILT_IN,
  createLayer,
  createStack,
  type Expert,
  expertWaves,
  type LayerConfig,
  openEngine,
  SchemoeError,
  topK,
  type UnevenLayerConfig,
} from "../../mod.ts";
import * as blocks from "../../lib/blocks/mod.ts";
import { columnSum, gemm, weighRows } from "../../lib/kernels/mod.ts";
import { goldenErrors, parseGolden, runGolden } from "../../lib/studies/golden.ts";
import { placementCases } from "../../lib/studies/placement_cases.ts";
import type { Engine } from "../../lib/engine.ts";
import type { GoldenCase } from "../../lib/studies/golden.ts";
import type { ForwardOptions } from "../../lib/layer/layer_options.ts";
import type { TaskGraph, View } from "../../lib/types.ts";
import { byActivation } from "../blocks/by_activation.ts";
import { byCapacity } from "../schedulers/by_capacity.ts";
import { goldenCases } from "./golden_cases.ts";

const TOLERANCE = 1e-5;

const bits = (values: Float32Array): string =>
  new TextDecoder("latin1").decode(
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  );

const scored = (golden: GoldenCase): GoldenCase => {
  const expert = byActivation(golden.config.expert as Expert);
  return { ...golden, config: { ...golden.config, expert } };
};

for (const golden of goldenCases) {
  for (const nodes of [1, 2, 4].filter((n) => golden.ranks % n === 0)) {
    Deno.test(`${golden.name} with gradients of weights from activations, on ${nodes} nodes, equals the reference; schedules change no bit`, async () => {
      using engine = openEngine({
        kind: "cpu",
        nodes,
        ranksPerNode: golden.ranks / nodes,
        links: "plain",
      });
      const own = scored(golden);
      for (const chunks of [1, 3]) {
        const ways: ForwardOptions[] = [
          ...BUILT_IN.scheduler.map((scheduler) => ({ scheduler })),
          ...BUILT_IN.allToAll.map((allToAll) => ({ scheduler: "optSche", allToAll })),
        ];
        const kept = await runGolden(engine, golden, { chunks });
        let first: Map<string, Float32Array> | undefined;
        for (const way of ways) {
          const where = JSON.stringify({ ...way, chunks });
          const results = await runGolden(engine, own, { ...way, chunks });
          const errors = Object.entries(goldenErrors(own, results));
          assert(errors.length > 4);
          for (const [name, error] of errors) assertLess(error, TOLERANCE, `${name}: ${where}`);
          if (!byCapacity.includes(way.scheduler as string)) continue;
          first ??= results;
          for (const [name, values] of results) {
            assertEquals(bits(values), bits(first.get(name)!), `${name}: ${where}`);
          }
        }
        assertEquals(bits(first!.get("y")!), bits(kept.get("y")!));
        const once = await runGolden(engine, own, { chunks, dispatch: "node" });
        for (const [name, error] of Object.entries(goldenErrors(own, once))) {
          assertLess(error, TOLERANCE, `${name}: once a node`);
        }
      }
    });
  }
}

Deno.test("cases of gates equal the reference with gradients of weights from activations", async () => {
  const folder = new URL("../golden/gates/", import.meta.url);
  const refused: string[] = [];
  for (
    const { name } of [...Deno.readDirSync(folder)].toSorted((a, b) => a.name < b.name ? -1 : 1)
  ) {
    const golden = scored(parseGolden(Deno.readFileSync(new URL(name, folder)), name));
    using engine = openEngine({
      kind: "cpu",
      nodes: 1,
      ranksPerNode: golden.ranks,
      links: "plain",
    });
    const run = () => runGolden(engine, golden, { chunks: 2, scheduler: "optSche" });
    if (Object(golden.config.gate).weighs === "input") {
      refused.push(golden.name);
      await assertRejects(run, SchemoeError, "weighs inputs");
      continue;
    }
    for (const [tensor, error] of Object.entries(goldenErrors(golden, await run()))) {
      assertLess(error, TOLERANCE, `${golden.name} ${tensor}`);
    }
  }
  assertEquals(refused, ["llama4"]);
});

/** Output and gradients of a layer, and its memory. */
async function values(
  engine: Engine,
  config: LayerConfig | UnevenLayerConfig,
  { forward = {}, backward = {} }: { forward?: ForwardOptions; backward?: ForwardOptions },
) {
  using layer = createLayer(engine, config as LayerConfig, { seed: 3 });
  const out = await layer.forward({ ...forward, bound: false, checkNumbers: true });
  const y = out.output!.slice();
  const back = await layer.backward({ ...backward, bound: false, checkNumbers: true });
  const gradients = Object.entries(back.gradients!).map(([name, values]) =>
    [name, values.slice()] as const
  );
  const graphs = [...out.ran, ...back.ran].map(({ program: { graph } }) => graph);
  return { values: { y, ...Object.fromEntries(gradients) }, memory: layer.memory(), graphs };
}

/** How far gradients by activations are from those by outputs, relative to the largest of a tensor. */
async function compare(
  engine: Engine,
  config: LayerConfig | UnevenLayerConfig,
  options: { forward?: ForwardOptions; backward?: ForwardOptions } = {},
) {
  const expert = (config.expert ?? blocks.ffn()) as Expert;
  const kept = await values(engine, { ...config, expert } as LayerConfig, options);
  const own = await values(
    engine,
    { ...config, expert: byActivation(expert) } as LayerConfig,
    options,
  );
  const errors = Object.entries(kept.values).map(([name, expected]) => {
    const most = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const error = expected.reduce(
      (e, value, i) => Math.max(e, Math.abs(value - own.values[name as "y"][i])),
      0,
    );
    return [name, most ? error / most : error] as const;
  });
  return { errors: Object.fromEntries(errors), kept, own };
}

const sizes = { tokens: 24, modelDim: 8, hiddenDim: 16, experts: 8, gate: topK({ k: 3 }) };

/** Layers of all kinds. */
const cases: Record<string, LayerConfig | UnevenLayerConfig> = {
  "a rank without tokens": { ...sizes, tokens: [24, 0, 7, 13] },
  "uneven, dropless": { ...sizes, tokens: [5, 24, 1, 13], routing: { dropless: true } },
  "groups inside": { ...sizes, parallel: { expert: 2, layout: "inside" } },
  "groups across, dropless": {
    ...sizes,
    parallel: { expert: 2, layout: "across" },
    routing: { dropless: true },
  },
  shared: { ...sizes, shared: { hiddenDim: 8 } },
  "gated shared": { ...sizes, shared: { hiddenDim: 8, gate: "sigmoid" } },
  latent: { ...sizes, latentDim: 4 },
  "expert choice": { ...sizes, gate: blocks.expertChoice({ k: 2 }) },
  "numbers of choices that differ": {
    ...sizes,
    gate: blocks.reluRouting({ k: 2 }),
    routing: { dropless: true },
  },
  "experts without computation": { ...sizes, gate: topK({ k: 3, identities: 2 }) },
  "no choice that stays": { ...sizes, routing: { capacityFactor: 0.4 } },
  "the largest load": { ...sizes, routing: { capacityFactor: 0 } },
  "one column": { ...sizes, modelDim: 1, hiddenDim: 1, routing: { dropless: true } },
  losses: { ...sizes, losses: [blocks.gshard({ weight: 0.1 })] },
};
for (const placement of placementCases(8, 4)) {
  for (const dropless of [true, false]) {
    const routing = dropless ? { dropless } : { capacityFactor: 1 };
    cases[`placement ${placement.name} ${dropless}`] = { ...sizes, placement, routing };
  }
}
for (const make of [blocks.swiglu, blocks.geglu, blocks.clampedSwiglu, blocks.limitedSwiglu]) {
  for (const dropless of [true, false]) {
    const expert = make();
    cases[`${expert.name} ${dropless}`] = { ...sizes, expert, routing: { dropless } };
  }
}
for (const activation of ["gelu", "identity", "reluSquared"] as const) {
  for (const bias of [true, false]) {
    const expert = blocks.ffn({ activation, bias });
    cases[expert.name] = { ...sizes, expert, routing: { dropless: bias } };
  }
}

Deno.test("gradients by activations are those by outputs within rounding: layers, ways to dispatch, chunks", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  for (const [name, config] of Object.entries(cases)) {
    for (const dispatch of ["choice", "node"] as const) {
      for (const chunks of [1, 3]) {
        const forward = { chunks, dispatch, scheduler: "optSche" };
        const { errors } = await compare(engine, config, { forward, backward: { chunks } });
        for (const [tensor, error] of Object.entries(errors)) {
          const most = tensor === "y" ? Number.MIN_VALUE : 2e-6;
          assertLess(error, most, `${name}, ${dispatch}, ${chunks} chunks: ${tensor}`);
        }
      }
    }
  }
});

Deno.test("gradients by activations are those by outputs in waves of experts, groups of peers, other chunks backward, with a codec of dispatch", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  const ways: Record<string, { forward: ForwardOptions; backward: ForwardOptions }> = {
    waves: { forward: { chunks: expertWaves(2) }, backward: { chunks: expertWaves(2) } },
    peers: { forward: { scheduler: "fasterMoE" }, backward: { scheduler: "fasterMoE" } },
    "more chunks backward": { forward: { chunks: 1 }, backward: { chunks: 4 } },
    "fewer chunks backward": { forward: { chunks: 4 }, backward: { chunks: 1 } },
    fp16: {
      forward: { compressor: { dispatch: "fp16", combine: "none" } },
      backward: { compressor: { dispatch: "fp16", combine: "none" }, chunks: 2 },
    },
    "fp8, once a node": {
      forward: { compressor: { dispatch: "fp8", combine: "none" }, dispatch: "node" },
      backward: { compressor: { dispatch: "fp8", combine: "none" } },
    },
  };
  for (const [name, options] of Object.entries(ways)) {
    for (const dropless of [true, false]) {
      const config = { ...sizes, modelDim: 32, routing: { dropless } };
      const { errors } = await compare(engine, config, options);
      for (const [tensor, error] of Object.entries(errors)) {
        // gradients of rows that differ by rounding may be coded as neighbours
        const most = /fp/.test(name) && tensor === "x" ? 0.1 : 2e-6;
        assertLess(error, most, `${name}, ${dropless}: ${tensor}`);
      }
    }
  }
});

Deno.test("gradients by activations of bfloat16 layers are those by outputs within bfloat16", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  for (const dispatch of ["choice", "node"] as const) {
    for (const dropless of [true, false]) {
      for (const make of [blocks.ffn, blocks.clampedSwiglu]) {
        const config = { ...sizes, expert: make(), routing: { dropless } };
        const rounded = { ...config, dtype: "bfloat16" } as const;
        const { errors } = await compare(engine, rounded, { forward: { chunks: 2, dispatch } });
        for (const [tensor, error] of Object.entries(errors)) {
          assertLess(error, tensor === "y" ? Number.MIN_VALUE : 2 ** -6, `${dispatch}: ${tensor}`);
        }
        assert(errors["gate.weight"] > 0, "both come from outputs");
      }
    }
  }
});

Deno.test("outputs of experts are not kept: topK x tokens x modelDim values less from forward to backward; tasks say which buffers they use", async () => {
  for (const ranks of [1, 4]) {
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: ranks, links: "plain" });
    for (const dispatch of ["choice", "node"] as const) {
      const config = { ...sizes, routing: { capacityFactor: 1 } };
      const forward = { chunks: 2, dispatch };
      const { kept, own } = await compare(engine, config, { forward });
      const less = kept.memory.lives.saved! - own.memory.lives.saved!;
      assertEquals(less, 4 * 24 * 3 * 8, `${ranks} ranks, ${dispatch}`);
      // a pass has its own outputs
      assertLess(own.memory.peak, kept.memory.peak + 1);
      const names = own.memory.rows.filter(({ life }) => life === "saved").map((row) => row.tensor);
      assert(!names.includes("expert.y") && !names.includes("forward.returned"), `${names}`);
      for (const graph of own.graphs) {
        for (const task of graph.tasks) {
          for (let rank = 0; rank < ranks; rank++) {
            const views = [
              ...(task.kernels?.(rank) ?? []).flatMap(({ args }) => args),
              ...(task.transfers?.(rank) ?? []).flatMap(({ from, to }) => [from, to]),
            ].filter((view) => typeof view === "object" && view.buffer !== "");
            for (const view of views) assert(task.uses!.includes((view as View).buffer), task.name);
          }
        }
      }
    }
  }
});

Deno.test("backward exchanges 4 bytes a row more each way, by messages of their own; forward what it did", async () => {
  const config = { ...sizes, routing: { capacityFactor: 1 } };
  const rows = 24 * 3 / 8 * 8;
  const engines = ["cpu", "simulate"] as const;
  for (const kind of engines) {
    using engine = openEngine({
      kind,
      nodes: 2,
      ranksPerNode: 2,
      ...(kind === "cpu" ? { links: "plain" } : {}),
    });
    const graphs: TaskGraph[][] = [];
    for (const scoreGradient of ["output", "activation"] as const) {
      using layer = createLayer(engine, { ...config, expert: blocks.ffn({ scoreGradient }) });
      const forward = await layer.forward({ allToAll: "linear", bound: false });
      const backward = await layer.backward({ allToAll: "linear", bound: false });
      graphs.push([forward, backward].map(({ ran }) => ran.at(-1)!.program.graph));
    }
    const bytes = (of: TaskGraph, name: string) =>
      of.tasks.filter((task) => task.name.startsWith(name)).map((task) => task.bytes);
    const [[out, back], [ownOut, ownBack]] = graphs;
    for (const name of ["A1[0]", "A2[0]"]) {
      assertEquals(bytes(ownOut, name), bytes(out, name));
      const more = bytes(ownBack, name).map((all, i) => all - bytes(back, name)[i]);
      // to three other ranks
      assertEquals(more.reduce((a, b) => a + b), 4 * rows * 3 / 4);
    }
    const messages = (of: TaskGraph) =>
      of.tasks.filter(({ label }) => label === "A1").map(({ traffic }) => {
        const { intra, inter } = traffic!.pattern.of(0);
        return intra.sends + inter.sends;
      }).reduce((a, b) => a + b);
    assertEquals(messages(ownBack), 2 * messages(back));
    for (const task of ownBack.tasks.filter(({ transfers }) => transfers)) {
      for (let rank = 0; rank < 4; rank++) {
        const sent = task.transfers!(rank).filter(({ kind }) => kind === "send");
        const { pattern, sliceBytes } = task.traffic ?? { pattern: undefined, sliceBytes: 1 };
        if (!pattern) continue;
        const { intra, inter } = pattern.of(rank);
        assertEquals(
          (intra.sent + inter.sent) * sliceBytes,
          sent.reduce((sum, { bytes }) => sum + bytes, 0),
          task.name,
        );
        assertEquals(intra.sends + inter.sends, sent.length, task.name);
      }
    }
  }
});

Deno.test("weights are messages of their own in worlds too large for a proof", async () => {
  const peers = 8;
  for (
    const [ranks, allToAlls] of [[32, ["linear", "hierarchical2d"]], [1024, ["linear"]]] as const
  ) {
    for (const allToAll of allToAlls) {
      for (const dropless of [false, true]) {
        const graphs: TaskGraph[] = [];
        for (const scoreGradient of ["output", "activation"] as const) {
          using engine = openEngine({ kind: "simulate", nodes: ranks / 4, ranksPerNode: 4 });
          using layer = createLayer(engine, {
            ...{ ...sizes, gate: topK({ k: 2 }), routing: { dropless } },
            expert: blocks.swiglu({ scoreGradient }),
            parallel: { expert: peers },
          });
          await layer.forward({ allToAll, bound: false });
          const { ran } = await layer.backward({ allToAll, bound: false });
          graphs.push(ran[0].program.graph);
        }
        const [before, own] = graphs.map(({ tasks }) =>
          tasks.filter(({ kind }) => kind === "allToAll")
        );
        assertEquals(own.length, before.length);
        for (const rank of [0, ranks - 5]) {
          for (const [i, task] of own.entries()) {
            const of = ({ traffic }: typeof task) => {
              const { intra, inter } = traffic!.pattern.of(rank);
              const bytes = (intra.sent + inter.sent) * traffic!.sliceBytes;
              return {
                messages: intra.sends + inter.sends,
                bytes,
                peers: traffic!.pattern.peers(rank),
              };
            };
            const [kept, weighed] = [of(before[i]), of(task)];
            assert(kept.messages > 0 || allToAll !== "linear");
            assertEquals(weighed.messages, 2 * kept.messages);
            // a row has 8 float32
            assertEquals(weighed.bytes, kept.bytes * 9 / 8);
            assertEquals(weighed.peers, kept.peers);
          }
        }
      }
    }
  }
});

Deno.test("a stack with gradients of weights from activations computes what one by outputs does", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  for (const dispatch of ["choice", "node"] as const) {
    const found: Record<string, Float32Array>[] = [];
    for (const scoreGradient of ["output", "activation"] as const) {
      const layer = {
        ...sizes,
        expert: blocks.swiglu({ scoreGradient }),
        routing: { capacityFactor: 1 },
      };
      using stack = createStack(engine, { layers: 3, layer }, { seed: 2 });
      await stack.forward({ chunks: 2, dispatch, bound: false });
      const run = await stack.backward({ chunks: 2, dispatch, bound: false, scheduler: "optSche" });
      found.push(
        Object.fromEntries(Object.entries(run.gradients!).map(([k, v]) => [k, v.slice()])),
      );
    }
    for (const [name, expected] of Object.entries(found[0])) {
      const most = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      expected.forEach((value, i) =>
        assertLess(Math.abs(value - found[1][name][i]), 1e-5 * most, `${dispatch}: ${name}`)
      );
    }
  }
});

Deno.test("scoreGradient: what it cannot go with is an error that says so", async () => {
  for (const make of [blocks.ffn, blocks.swiglu, blocks.geglu, blocks.clampedSwiglu]) {
    assertThrows(
      () => make({ scoreGradient: "activations" as "activation" }),
      SchemoeError,
      'Unknown scoreGradient "activations": choose one of output, activation',
    );
  }
  assertEquals(blocks.ffn({ bias: false }).name, "ffn(relu, no bias)");
  assertEquals(
    blocks.ffn({ scoreGradient: "activation" }).name,
    "ffn(relu, score gradient: activation)",
  );
  const expert = blocks.swiglu({ scoreGradient: "activation" });
  assertEquals(expert.name, "swiglu(score gradient: activation)");
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const makes = (config: Partial<LayerConfig>) => () =>
    createLayer(engine, { ...sizes, ...config });
  const odd = { ...expert, scoreGradient: "outputs" } as unknown as Expert;
  assertThrows(makes({ expert: odd }), SchemoeError, 'Unknown scoreGradient "outputs"');
  assertThrows(makes({ shared: { hiddenDim: 4, expert } }), SchemoeError, "no such weight");
  const gate = topK({ k: 2, weighs: "input" } as Parameters<typeof topK>[0]);
  assertThrows(makes({ expert, gate }), SchemoeError, "weighs inputs");
  using layer = createLayer(engine, { ...sizes, expert });
  for (const compressor of ["fp16", { dispatch: "none", combine: "int8" }]) {
    await assertRejects(
      () => layer.forward({ compressor }),
      SchemoeError,
      'choose combine: "none", or make the expert with scoreGradient "output"',
    );
  }
  await layer.forward({ compressor: { dispatch: "fp16", combine: "none" } });
  await assertRejects(() => layer.backward({ compressor: "fp16" }), SchemoeError, "scoreGradient");
});

Deno.test("an expert of a user's own may take gradients of weights from its activation", async () => {
  /** x @ w, whose activation is x. */
  const linear = (scoreGradient: "output" | "activation"): Expert => ({
    name: "linear",
    scoreGradient,
    parameters: ({ modelDim: m }) => [{ name: "w", shape: [m, m] }, { name: "b", shape: [m] }],
    saved: ({ modelDim: columns }) => [{ name: "d", columns, life: "pass" }],
    forward: (c) => [gemm(c.x, c.parameter("w"), c.y, { bias: c.parameter("b") })],
    inputGrad(c) {
      const product = gemm(c.dy, c.parameter("w"), c.dx, { transB: true });
      if (!c.scores) return [product];
      const { weights, dWeights: dots } = c.scores;
      return [
        product,
        weighRows({ d: c.dx, rows: c.x, weights, dots }),
        weighRows({ d: c.dy, vector: c.parameter("b"), weights, dots, add: true }),
      ];
    },
    weightGrad: (c) => [
      gemm(c.x, c.dy, c.gradient("w"), { transA: true, add: !c.first }),
      columnSum(c.dy, c.gradient("b"), { add: !c.first }),
    ],
    flops: () => ({ forward: 1, inputGrad: 1, weightGrad: 1 }),
  });
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const config = { ...sizes, routing: { dropless: true } };
  const [kept, own] = [
    await values(engine, { ...config, expert: linear("output") }, {}),
    await values(engine, { ...config, expert: linear("activation") }, {}),
  ];
  for (const [name, expected] of Object.entries(kept.values)) {
    const most = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    expected.forEach((value, i) =>
      assertLess(Math.abs(value - own.values[name as "y"][i]), 2e-6 * most + 1e-12, name)
    );
  }
});
