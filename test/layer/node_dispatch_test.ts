import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import {
  BUILT_IN,
  createLayer,
  type LayerConfig,
  openEngine,
  SchemoeError,
  topK,
  topology,
  type UnevenLayerConfig,
} from "../../mod.ts";
import { expertChoice, reluRouting, replayed } from "../../lib/blocks/mod.ts";
import * as compressors from "../../lib/compressors/mod.ts";
import { type Compressor, fp8, stochastic } from "../../lib/compressors/mod.ts";
import { goldenErrors, parseGolden, runGolden } from "../../lib/studies/golden.ts";
import { placementCases } from "../../lib/studies/placement_cases.ts";
import { tokenGroups, uniformRouting, zipfRouting } from "../../lib/routing/mod.ts";
import { spawnWorkers } from "../../lib/workers/mod.ts";
import type { Engine } from "../../lib/engine.ts";
import type { View } from "../../lib/types.ts";
import type { ForwardOptions } from "../../lib/layer/layer_options.ts";
import { bytes } from "../alltoall/own.ts";
import { goldenCases } from "./golden_cases.ts";
import { byCapacity } from "../schedulers/by_capacity.ts";

const TOLERANCE = 1e-5;
/** Groups of peers are refused. */
const schedulers = byCapacity;
const codecOf = (name: string) => (compressors as unknown as Record<string, Compressor>)[name];

const bits = (values: Float32Array): string =>
  new TextDecoder("latin1").decode(
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  );

for (const golden of goldenCases) {
  for (const nodes of [1, 2, 4].filter((n) => golden.ranks % n === 0)) {
    Deno.test(`${golden.name} with tokens that cross once, on ${nodes} nodes, equals the reference; schedules change no bit`, async () => {
      using engine = openEngine({
        kind: "cpu",
        nodes,
        ranksPerNode: golden.ranks / nodes,
        links: "plain",
      });
      for (const chunks of [1, 3]) {
        const choice = await runGolden(engine, golden, { chunks });
        let first: Map<string, Float32Array> | undefined;
        for (const scheduler of schedulers) {
          const results = await runGolden(engine, golden, { scheduler, chunks, dispatch: "node" });
          const errors = Object.entries(goldenErrors(golden, results));
          assert(errors.length > 4);
          for (const [name, error] of errors) assertLess(error, TOLERANCE, `${name}: ${scheduler}`);
          first ??= results;
          for (const [name, values] of results) {
            assertEquals(bits(values), bits(first.get(name)!), `${name}: ${scheduler}`);
            // experts see the same rows, and weights get the same gradients
            if (/^grad\.(experts|gate)/.test(name)) {
              assertEquals(bits(values), bits(choice.get(name)!), `${name}: ${scheduler}`);
            }
          }
        }
      }
    });
  }
}

Deno.test("cases of gates equal the reference with tokens that cross once", async () => {
  const folder = new URL("../golden/gates/", import.meta.url);
  const refused: string[] = [];
  for (
    const { name } of [...Deno.readDirSync(folder)].toSorted((a, b) => a.name < b.name ? -1 : 1)
  ) {
    const golden = parseGolden(Deno.readFileSync(new URL(name, folder)), name);
    using engine = openEngine({
      kind: "cpu",
      links: "plain",
      nodes: 2,
      ranksPerNode: golden.ranks / 2,
    });
    const run = () => runGolden(engine, golden, { chunks: 2, dispatch: "node" });
    if (
      golden.config.gate && typeof golden.config.gate !== "string" &&
      golden.config.gate.weighs === "input"
    ) {
      refused.push(golden.name);
      await assertRejects(run, SchemoeError, "weighs the inputs of experts");
      continue;
    }
    for (const [tensor, error] of Object.entries(goldenErrors(golden, await run()))) {
      assertLess(error, TOLERANCE, `${golden.name} ${tensor}`);
    }
  }
  assertEquals(refused, ["llama4"]);
});

/** Outputs and gradients of a layer under two ways to dispatch, and how far they are from each other. */
async function compare(
  engine: Engine,
  config: LayerConfig | UnevenLayerConfig,
  options: ForwardOptions = {},
): Promise<{ errors: Record<string, number>; rows: number }> {
  using layer = createLayer(engine, config as LayerConfig, { seed: 3 });
  const found: Record<string, Float32Array>[] = [];
  for (const dispatch of ["choice", "node"] as const) {
    const forward = await layer.forward({ ...options, dispatch, bound: false });
    const y = forward.output!.slice();
    const backward = await layer.backward({ ...options, bound: false });
    const gradients = Object.entries(backward.gradients!).map(([name, values]) =>
      [name, values.slice()] as const
    );
    found.push({ y, ...Object.fromEntries(gradients) });
  }
  const errors = Object.entries(found[0]).map(([name, values]) => {
    const most = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const error = values.reduce(
      (e, value, i) => Math.max(e, Math.abs(value - found[1][name][i])),
      0,
    );
    return [name, most ? error / most : error] as const;
  });
  return { errors: Object.fromEntries(errors), rows: found[0].y.length };
}

const sizes = { tokens: 24, modelDim: 8, hiddenDim: 16, experts: 8, gate: topK({ k: 3 }) };

Deno.test("tokens that cross once give what tokens for each choice give: placements, groups, uneven ranks, gates, shared experts, latent rows", async () => {
  const cases: Record<string, LayerConfig | UnevenLayerConfig> = {
    "a rank without tokens": { ...sizes, tokens: [24, 0, 7, 13] },
    "groups inside": { ...sizes, parallel: { expert: 2, layout: "inside" } },
    "groups across, dropless": {
      ...sizes,
      parallel: { expert: 2, layout: "across" },
      routing: { dropless: true },
    },
    shared: { ...sizes, shared: { hiddenDim: 8 } },
    "gated shared": { ...sizes, shared: { hiddenDim: 8, gate: "sigmoid" } },
    latent: { ...sizes, latentDim: 4 },
    "expert choice": { ...sizes, gate: expertChoice({ k: 2 }) },
    "numbers of choices that differ": {
      ...sizes,
      gate: reluRouting({ k: 2 }),
      routing: { dropless: true },
    },
    "no choice that stays": { ...sizes, routing: { capacityFactor: 0.4 } },
    "the largest load": { ...sizes, routing: { capacityFactor: 0 } },
  };
  for (const placement of placementCases(8, 4)) {
    for (const dropless of [true, false]) {
      const routing = dropless ? { dropless } : { capacityFactor: 1 };
      cases[`placement ${placement.name} ${dropless}`] = { ...sizes, placement, routing };
    }
  }
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  for (const [name, config] of Object.entries(cases)) {
    for (const chunks of [1, 3]) {
      const { errors } = await compare(engine, config, { chunks });
      for (const [tensor, error] of Object.entries(errors)) {
        assertLess(error, 2e-6, `${name}, ${chunks} chunks: ${tensor}`);
      }
    }
  }
});

Deno.test("bfloat16 rows that cross once are within what roundings of sums in the node do", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  for (const routing of [{ dropless: true }, { capacityFactor: 1 }]) {
    const { errors } = await compare(engine, { ...sizes, dtype: "bfloat16", routing }, {
      chunks: 2,
    });
    for (const [tensor, error] of Object.entries(errors)) {
      assertLess(error, tensor === "y" || tensor === "x" ? 2 ** -7 : 1e-6, tensor);
    }
    assert(errors.y > 0, "the way back adds nothing in a node");
  }
});

Deno.test("backward may have other chunks than forward, and goes as forward did", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, { ...sizes, routing: { dropless: true } });
  await layer.forward({ dispatch: "node", chunks: 3 });
  const one = (await layer.backward({ chunks: 1, results: true })).gradients!;
  const backward = await layer.backward({ chunks: 4, results: true });
  assertEquals(backward.configuration.allToAll, "once a node");
  for (const [name, values] of Object.entries(one)) {
    const largest = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    backward.gradients![name].forEach((value, i) =>
      assertLess(Math.abs(value - values[i]), 1e-5 * largest, name)
    );
  }
  await assertRejects(
    () => layer.backward({ dispatch: "choice" }),
    SchemoeError,
    'Cannot run backward with dispatch "choice": forward had "node"',
  );
  await layer.forward();
  await assertRejects(
    () => layer.backward({ dispatch: "node" }),
    SchemoeError,
    'Cannot run backward with dispatch "node": forward had "choice"',
  );
});

Deno.test("checkNumbers finds nothing in right passes whose tokens cross once, and names a NaN; tasks say which buffers they use", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  for (const routing of [{ dropless: true }, { capacityFactor: 1 }]) {
    using layer = createLayer(engine, { ...sizes, routing });
    const options = { chunks: 2, compressor: "fp8", checkNumbers: true };
    const forward = await layer.forward({ ...options, dispatch: "node" });
    const backward = await layer.backward(options);
    for (const { program: { graph } } of [...forward.ran, ...backward.ran]) {
      for (const task of graph.tasks) {
        for (let rank = 0; rank < 4; rank++) {
          const views = [
            ...(task.kernels?.(rank) ?? []).flatMap(({ args }) => args),
            ...(task.transfers?.(rank) ?? []).flatMap(({ from, to }) => [from, to]),
          ].filter((view) => typeof view === "object" && view.buffer !== "");
          for (const view of views) assert(task.uses!.includes((view as View).buffer), task.name);
        }
      }
    }
    const x = new Float32Array(4 * 24 * 8).fill(0.5);
    x[5] = NaN;
    await assertRejects(
      () => layer.forward({ x, dispatch: "node", checkNumbers: true }),
      SchemoeError,
      "NaN",
    );
  }
});

Deno.test("each token crosses once: bytes between nodes are those of the token groups", async () => {
  const world = topology({ nodes: 2, ranksPerNode: 4 });
  const trace = zipfRouting({ ranks: 8, tokens: 64, experts: 16, topK: 6, exponent: 0.6 });
  const config = {
    ...{ tokens: 64, modelDim: 8, hiddenDim: 16, experts: 16 },
    gate: replayed({ trace }),
    routing: { dropless: true },
  };
  const rowBytes = 4 * (8 + 6);
  const crossing = new Int32Array(8);
  for (const { source, node, tokens } of tokenGroups(trace, { ranksPerNode: 4 })) {
    if (node !== Math.floor(source / 4)) crossing[source] += tokens.length * rowBytes;
  }
  using cpu = openEngine({ kind: "cpu", topology: world, links: "plain" });
  using simulator = openEngine({ kind: "simulate", topology: world });
  for (const engine of [cpu, simulator]) {
    using layer = createLayer(engine, config);
    const run = await layer.forward({ dispatch: "node", bound: false });
    const { graph } = run.ran.at(-1)!.program;
    const between = graph.tasks.find(({ name }) => name === "A1[0] between")!;
    assertEquals(between.lane, "inter");
    assertEquals(between.bytes, Math.max(...crossing));
    for (let rank = 0; rank < 8; rank++) {
      const sent = between.transfers!(rank).filter(({ kind }) => kind === "send")
        .reduce((sum, { bytes }) => sum + bytes, 0);
      assertEquals(sent, crossing[rank]);
    }
    const names = graph.tasks.map(({ name }) => name);
    for (const phase of ["pack", "inside", "between", "sort", "deliver"]) {
      assert(names.includes(`A1[0] ${phase}`), phase);
    }
    for (const phase of ["collect", "add", "arrange", "between", "inside", "sum", "place"]) {
      assert(names.includes(`A2[0] ${phase}`), phase);
    }
  }
});

Deno.test("codecs code what crosses, once for each crossing, with the same bits under every scheduler", async () => {
  const config = { ...sizes, modelDim: 32, routing: { dropless: true } };
  const schemes = BUILT_IN.compressor.filter((name) =>
    name !== "zfp" && name !== "none" && codecOf(name).native
  );
  assert(schemes.length > 5);
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  for (const dtype of ["float32", "bfloat16"] as const) {
    using layer = createLayer(engine, { ...config, dtype }, { seed: 4 });
    const both = async (options: ForwardOptions) => {
      const forward = await layer.forward({
        dispatch: "node",
        chunks: 2,
        bound: false,
        ...options,
      });
      const y = forward.output!.slice();
      const { gradients, ran } = await layer.backward({ chunks: 2, bound: false, ...options });
      const graphs = [forward.ran.at(-1)!, ran[0]].map(({ program }) => program.graph);
      return {
        values: {
          y,
          ...Object.fromEntries(Object.entries(gradients!).map(([k, v]) => [k, v.slice()])),
        },
        graphs,
      };
    };
    const plain = await both({});
    for (const compressor of schemes) {
      const first = await both({ compressor });
      for (const scheduler of ["optSche", "criticalPath", "tutel"]) {
        const { values } = await both({ compressor, scheduler });
        for (const [name, got] of Object.entries(values)) {
          assertEquals(
            bits(got),
            bits(first.values[name as "y"]),
            `${name}: ${compressor}, ${scheduler}`,
          );
        }
      }
      for (const [i, graph] of first.graphs.entries()) {
        for (const label of ["A1", "A2"]) {
          const bytesOf = (of: typeof graph, phase: string) =>
            of.tasks.find(({ name }) => name === `${label}[0] ${phase}`)?.bytes;
          assertLess(
            bytesOf(graph, "between")!,
            bytesOf(plain.graphs[i], "between")! + (dtype === "bfloat16" ? 1 : 0),
          );
          assertEquals(bytesOf(graph, "inside"), bytesOf(plain.graphs[i], "inside"));
          const kinds = ["encode", "decode"].map((phase) =>
            graph.tasks.find(({ name }) => name === `${label}[0] ${phase}`)!.kind
          );
          assertEquals(kinds, ["compress", "decompress"]);
          assertEquals(bytesOf(plain.graphs[i], "encode"), undefined);
        }
      }
    }
    const norm = (a: Float32Array, b: Float32Array) =>
      Math.sqrt(a.reduce((s, v, i) => s + (v - b[i]) ** 2, 0) / b.reduce((s, v) => s + v * v, 0));
    const half = (await both({ compressor: "fp16" })).values;
    assertLess(norm(half.y, plain.values.y), dtype === "float32" ? 1e-3 : 1e-2);
    assert(dtype === "bfloat16" || norm(half.y, plain.values.y) > 1e-6, "nothing was coded");
  }
});

Deno.test("emulated links take what is simulated for tokens that cross once", async () => {
  const world = topology({
    nodes: 2,
    ranksPerNode: 2,
    intra: { alpha: 20e-6, bandwidth: 1e9 },
    inter: { alpha: 50e-6, bandwidth: 0.05e9 },
  });
  const trace = uniformRouting({ ranks: 4, tokens: 128, experts: 8, topK: 4 });
  const config = {
    ...{ tokens: 128, modelDim: 128, hiddenDim: 16, experts: 8 },
    gate: replayed({ trace }),
    routing: { dropless: true },
  };
  using simulator = openEngine({ kind: "simulate", topology: world });
  using engine = openEngine({ kind: "cpu", topology: world, computation: "paced" });
  using simulated = createLayer(simulator, config);
  using emulated = createLayer(engine, config);
  const options = { dispatch: "node", scheduler: "optSche", chunks: 2 } as const;
  for (const pass of ["forward", "backward"] as const) {
    const expected = await simulated[pass](options);
    const got = await emulated[pass](options);
    // paced tasks never take less; the machine may be busy
    assert(
      got.makespan > 0.95 * expected.makespan,
      `${pass}: ${got.makespan}, ${expected.makespan}`,
    );
    assert(expected.bound! <= expected.makespan * (1 + 1e-9));
  }
  const once = await simulated.forward(options);
  const choice = await simulated.forward({ scheduler: "optSche", chunks: 2 });
  assertLess(once.makespan, choice.makespan);
});

Deno.test("processes give the bits of one process for tokens that cross once", async () => {
  await using workers = await spawnWorkers(1);
  const shape = { nodes: 2, ranksPerNode: 2, links: "plain" } as const;
  using alone = openEngine({ kind: "cpu", ...shape });
  using engine = await workers.openEngine(shape);
  for (const golden of goldenCases.filter(({ ranks }) => ranks === 4)) {
    const choices = { dispatch: "node", scheduler: "optSche", chunks: 2 } as const;
    const expected = await runGolden(alone, golden, choices);
    const results = await runGolden(engine, golden, choices);
    for (const [tensor, values] of expected) {
      assertEquals(bits(results.get(tensor)!), bits(values), `${golden.name}: ${tensor}`);
    }
  }
});

Deno.test("dispatch refuses what has no use or no meaning beside it", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  using simulator = openEngine({
    kind: "simulate",
    nodes: 2,
    ranksPerNode: 2,
    representatives: true,
  });
  const trace = uniformRouting({ ranks: 2, tokens: 24, experts: 8, topK: 3 });
  const refusals: [ForwardOptions, RegExp, Engine?, LayerConfig?][] = [
    [
      { dispatch: "nodes" as "node" },
      /Unknown dispatch "nodes": choose one of choice, node.*did you mean "node"/,
    ],
    [{ dispatch: 3 as unknown as "node" }, /Unknown dispatch 3/],
    [{ dispatch: "node", allToAll: "pipe" }, /all-to-all of its own; leave allToAll out/],
    [
      { dispatch: "node", compressor: "zfp" },
      /the compressor "zfp" codes 4 rows of an expert together/,
    ],
    [{ dispatch: "node", compressor: { combine: bytes } }, /is code of your own/],
    [{ dispatch: "node", compressor: stochastic(fp8, 3) }, /rounds at random/],
    [{ dispatch: "node", scheduler: "fasterMoE", chunks: 2 }, /groups of peers/],
    [{ dispatch: "node", scheduler: "auto" }, /"auto" chooses all-to-alls/],
    [{ dispatch: "node", routing: trace }, /the gate decides on the routing/],
    [{ routing: trace }, /it is for dispatch "node"/],
    [{ dispatch: "node" }, /one node stands for all/, simulator],
    [{ dispatch: "node" }, /weighs the inputs/, engine, {
      ...sizes,
      gate: topK({ k: 1, weighs: "input" }),
    }],
  ];
  for (const [options, expected, on = engine, config = sizes] of refusals) {
    using layer = createLayer(on, config);
    const error = await assertRejects(() => layer.forward(options), SchemoeError);
    assertMatch(error.message, expected);
  }
  using every = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 1 });
  using layer = createLayer(every, sizes);
  const other = uniformRouting({ ranks: 2, tokens: 12, experts: 8, topK: 3 });
  const error = await assertRejects(
    () => layer.forward({ dispatch: "node", routing: other }),
    SchemoeError,
  );
  assertMatch(error.message, /Cannot use the routing "uniform"/);
  assert((await layer.forward({ dispatch: "node", routing: trace })).makespan > 0);
});
