import { assert, assertEquals, assertLess, assertRejects, assertThrows } from "@std/assert";
import {
  type AllToAll,
  BUILT_IN,
  capacitySlices,
  type Chunking,
  createLayer,
  createStack,
  exact,
  type LayerConfig,
  linear,
  openEngine,
  peerGroups,
  SchemoeError,
  topK,
  topology,
  type UnevenLayerConfig,
} from "../../mod.ts";
import { simulate } from "../../lib/engines/mod.ts";
import { backwardGraph, forwardGraph } from "../../lib/graph/mod.ts";
import { resolveLayer } from "../../lib/blocks/mod.ts";
import { blockSizes } from "../../lib/graph/wire.ts";
import { rowLayout } from "../../lib/memory/mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { equalLoads } from "../../lib/chunking/loads.ts";
import { splitRows } from "../../lib/chunking/slot_loads.ts";
import * as codecs from "../../lib/compressors/mod.ts";
import { expertWaves } from "../../lib/chunking/mod.ts";
import { checkedSplit } from "../../lib/chunking/split.ts";
import { goldenErrors, runGolden } from "../../lib/studies/golden.ts";
import { placementCases } from "../../lib/studies/placement_cases.ts";
import { goldenCases } from "../layer/golden_cases.ts";
import { bytes, roundabout } from "../alltoall/own.ts";
import type { ForwardOptions } from "../../lib/layer/layer_options.ts";
import type { MoeLayer } from "../../lib/layer/layer.ts";

const bits = (values: Float32Array): string =>
  new TextDecoder("latin1").decode(
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  );

for (const golden of goldenCases) {
  Deno.test(`waves of experts give ${golden.name} the bits of one chunk under every scheduler`, async () => {
    const local = golden.config.experts / golden.ranks;
    using engine = openEngine({
      kind: "cpu",
      nodes: 2,
      ranksPerNode: golden.ranks / 2,
      links: "plain",
    });
    const whole = await runGolden(engine, golden, { chunks: capacitySlices(1) });
    for (let waves = 1; waves <= local; waves++) {
      for (const scheduler of BUILT_IN.scheduler) {
        const chunks = expertWaves(waves);
        const results = await runGolden(engine, golden, { scheduler, chunks });
        for (const [name, error] of Object.entries(goldenErrors(golden, results))) {
          assertLess(error, 1e-5, `${name}: ${scheduler}, ${waves} waves`);
        }
        for (const [name, values] of whole) {
          const what = `${name}: ${scheduler}, ${waves} waves`;
          assertEquals(bits(results.get(name)!), bits(values), what);
        }
      }
    }
  });
}

/** Results of both passes, as text of their bits. */
async function both(layer: MoeLayer, options: ForwardOptions): Promise<Record<string, string>> {
  const forward = await layer.forward({ ...options, bound: false });
  const y = bits(forward.output!);
  const { gradients } = await layer.backward({ ...options, bound: false });
  const named = Object.entries(gradients!).map(([name, values]) => [name, bits(values)] as const);
  return { y, ...Object.fromEntries(named) };
}

const sizes = { tokens: 24, modelDim: 8, hiddenDim: 12, experts: 12, gate: topK({ k: 2 }) };

Deno.test("waves of experts have the bits of one chunk with every all-to-all, codec, placement and layout", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  const exchanges: (string | AllToAll)[] = [...BUILT_IN.allToAll, roundabout];
  const cases: [LayerConfig | UnevenLayerConfig, ForwardOptions[]][] = [
    [{ ...sizes, routing: { dropless: true } }, exchanges.map((allToAll) => ({ allToAll }))],
    [sizes, exchanges.map((allToAll) => ({ allToAll }))],
    [sizes, ["fp16", "int8", "zfp", bytes].map((compressor) => ({ compressor }))],
    [{ ...sizes, routing: { dropless: true } }, [{ compressor: "fp8" }, { compressor: bytes }]],
    [{ ...sizes, tokens: [24, 0, 7, 13] }, [{}]],
    [{ ...sizes, gate: topK({ k: 1, weighs: "input" }), latentDim: 4 }, [{}]],
    [{ ...sizes, parallel: { expert: 2, layout: "across" }, shared: { hiddenDim: 8 } }, [{}]],
    [{ ...sizes, dtype: "bfloat16", routing: { capacityFactor: 0 } }, [{}]],
    ...placementCases(12, 4).flatMap((placement) =>
      [true, false].map((dropless): [LayerConfig, ForwardOptions[]] => [
        { ...sizes, placement, routing: dropless ? { dropless } : { capacityFactor: 1 } },
        [{}],
      ])
    ),
    [{ ...sizes, routing: { dropless: true } }, [{ dispatch: "node" }]],
    [sizes, [{ dispatch: "node" }]],
  ];
  for (const [config, list] of cases) {
    using layer = createLayer(engine, config as LayerConfig, { seed: 2 });
    for (const options of list) {
      const scheduler = "optSche";
      // one token crosses once for each chunk, so that sums have another order
      const one = options.dispatch ? expertWaves(3) : capacitySlices(1);
      const expected = await both(layer, { ...options, chunks: one });
      const waves = [1, 2, 3].filter((n) => options.dispatch === undefined || n === 3);
      for (const count of waves) {
        const got = await both(layer, { ...options, scheduler, chunks: expertWaves(count) });
        assertEquals(got, expected, `${count} waves, ${JSON.stringify([config, options])}`);
      }
    }
  }
});

Deno.test("weight gradients of waves wait for none of each other, and each expert computes once", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  using layer = createLayer(engine, { ...sizes, routing: { dropless: true } });
  const chunks = expertWaves(3);
  const forward = await layer.forward({ chunks });
  assertEquals(forward.configuration.chunking, "experts in waves of 1");
  const { program } = (await layer.backward({ chunks: 3 })).ran[0];
  const { tasks } = program.graph;
  const gradients = tasks.filter(({ label }) => label === "Ew");
  assertEquals(gradients.length, 3);
  for (const { chunk, after } of gradients) {
    assertEquals(after.map((id) => tasks[id].name), [`Ei[${chunk}]`]);
  }
  const sliced = await layer.forward({ chunks: 3 });
  const rows = (run: typeof forward) =>
    run.ran.at(-1)!.program.graph.tasks.filter(({ label }) => label === "E")
      .reduce((sum, { flops }) => sum + flops, 0);
  assertEquals(rows(forward), rows(sliced));
});

Deno.test("an exact search orders waves of a layer, and no scheduler does better", async () => {
  const world = topology({
    nodes: 2,
    ranksPerNode: 1,
    inter: { alpha: 1e-5, bandwidth: 1e9 },
    processor: { alpha: 1e-6, flopRate: 1e9, byteRate: 1e10 },
  });
  using engine = openEngine({ kind: "simulate", topology: world });
  using layer = createLayer(engine, {
    ...sizes,
    tokens: 256,
    experts: 4,
    routing: { dropless: true },
  });
  const chunks = expertWaves(2);
  const best = await layer.forward({ chunks, scheduler: exact });
  assert(best.bound! <= best.makespan);
  for (const scheduler of BUILT_IN.scheduler) {
    const run = await layer.forward({ chunks, scheduler });
    assert(best.makespan <= run.makespan * (1 + 1e-9), scheduler);
  }
});

Deno.test("stacks are split into waves of experts too", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using stack = createStack(engine, { layer: sizes, layers: 2 });
  const of = async (chunks: Chunking) => {
    const y = bits((await stack.forward({ chunks, bound: false })).output!);
    return [y, bits((await stack.backward({ chunks, bound: false })).gradients!.x)];
  };
  assertEquals(await of(expertWaves(3)), await of(capacitySlices(1)));
});

Deno.test("expertWaves() refuses numbers that do not fit, and backward another split", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  using layer = createLayer(engine, sizes);
  for (
    const [waves, problem] of [[0, "got 0"], [1.5, "got 1.5"], [
      7,
      "1 to the 6 experts of a rank, got 7",
    ]] as const
  ) {
    await assertRejects(() => layer.forward({ chunks: expertWaves(waves) }), SchemoeError, problem);
  }
  await layer.forward({ chunks: expertWaves(2) });
  await assertRejects(
    () => layer.backward({ chunks: capacitySlices(2) }),
    SchemoeError,
    "it is split by capacity and forward was by waves of experts",
  );
  assertEquals(
    (await layer.backward({ chunks: 3 })).configuration.chunking,
    "experts in waves of 2",
  );
  await layer.forward({ chunks: peerGroups(2) });
  await assertRejects(
    () => layer.backward({ chunks: expertWaves(2) }),
    SchemoeError,
    "it is split by waves of experts and forward was by groups of peers",
  );
});

Deno.test("a split of one's own into waves must have each expert once", () => {
  const at = { capacity: 8, topology: topology({ nodes: 1, ranksPerNode: 2 }), localExperts: 3 };
  const split = (...experts: [number, number][]) =>
    checkedSplit({
      name: "own",
      split: () => experts.map(([begin, end]) => ({ begin: 0, end: 8, experts: { begin, end } })),
    }, at);
  assertEquals(split([0, 1], [1, 3]).length, 2);
  assertThrows(() => split([0, 2]), SchemoeError, "end at expert 2, a rank has 3");
  assertThrows(() => split([1, 3]), SchemoeError, "experts 1 to 3");
  assertThrows(() => split([0, 2], [1, 3]), SchemoeError, "begin at 2");
  assertThrows(
    () =>
      checkedSplit({
        name: "own",
        split: () => [{ begin: 0, end: 8 }, { begin: 0, end: 8, experts: { begin: 0, end: 3 } }],
      }, at),
    SchemoeError,
    "chunk 0 has no experts",
  );
  assertThrows(
    () =>
      checkedSplit({
        name: "own",
        split: () => [{ begin: 0, end: 4, experts: { begin: 0, end: 3 } }],
      }, at),
    SchemoeError,
    "must have all rows, 0 to 8",
  );
});

Deno.test("waves on 2,048 ranks are simulated without a load for each pair of them", () => {
  const world = topology({ nodes: 256, ranksPerNode: 8 });
  const config = { tokens: 64, modelDim: 16, hiddenDim: 32, experts: 2 * world.ranks };
  const layer = resolveLayer(config, world);
  const chunks = expertWaves(2).split({ capacity: 4, topology: world, localExperts: 2 });
  const rows = splitRows(layer, { capacity: 4 }, chunks);
  const loads = Object.defineProperty({ ...equalLoads(1, 1, 4), ...rows.loads }, "table", {
    get: () => {
      throw new Error("a table of all ranks and experts");
    },
  });
  assertEquals([loads.ranks, loads.experts], [2048, 4096]);
  const of = { layer, ...rows, loads, chunks, configuration: {} };
  const pass = {
    ...of,
    allToAll: linear,
    compressor: { dispatch: codecs.int8, combine: codecs.none },
  };
  for (
    const graph of [
      forwardGraph({ ...pass, gate: true }),
      backwardGraph({ ...pass, forwardChunks: chunks }),
    ]
  ) {
    const { end } = simulate(buildProgram(graph, graph.tasks, "in order"), world);
    assert(end.length === graph.tasks.length * world.ranks);
  }
});

Deno.test("waves of equal loads lie, and are coded, as those whose loads are looked at one by one", () => {
  const world = topology({ nodes: 2, ranksPerNode: 4 });
  for (const parallel of [{}, { expert: 4 }, { expert: 4, layout: "across" as const }]) {
    const group = parallel.expert ?? world.ranks;
    const config = { tokens: 64, modelDim: 16, hiddenDim: 32, experts: 3 * group, parallel };
    const layer = resolveLayer(config, world);
    const chunks = expertWaves(2).split({ capacity: 5, topology: world, localExperts: 3 });
    const equal = splitRows(layer, { capacity: 5 }, chunks);
    const { ranks, experts, table } = equal.loads!;
    const of = { layer, ...equal, chunks };
    const [a, b] = [
      rowLayout(of),
      rowLayout({ ...of, loads: { ranks, experts, table: table.slice() } }),
    ];
    assertEquals([a.sent, a.room], [b.sent, b.room]);
    for (let chunk = 0; chunk < chunks.length; chunk++) {
      assertEquals(a.rowsIn(chunk), b.rowsIn(chunk));
      for (const number of [1, 2] as const) {
        const legs = [a, b].map((layout) => layout.leg({ number, chunk }));
        assertEquals([legs[0].equal !== undefined, legs[1].equal], [true, undefined]);
        assertEquals(legs[0].most, legs[1].most);
        for (const compressor of [codecs.none, codecs.int8, codecs.zfp, codecs.mxfp8]) {
          const [one, other] = legs.map((rows) => blockSizes(rows, { layer, compressor }));
          assertEquals(
            [one.largest, one.room("in"), one.room("out"), one.traffic(1)],
            [other.largest, other.room("in"), other.room("out"), other.traffic(1)],
          );
          for (let from = 0; from < ranks; from++) {
            for (let to = 0; to < ranks; to++) {
              assertEquals(one.bytes(from, to), other.bytes(from, to));
              if (one.bytes(from, to) === 0) continue;
              assertEquals(one.begin("in", from, to), other.begin("in", from, to));
              assertEquals(one.begin("out", to, from), other.begin("out", to, from));
            }
          }
        }
      }
      for (let rank = 0; rank < ranks; rank++) {
        assertEquals(a.places(rank), b.places(rank));
        assertEquals(a.matrix(chunk, rank), b.matrix(chunk, rank));
        const [leg, other] = [a, b].map((layout) => layout.leg({ number: 1, chunk }));
        assertEquals(leg.tokens(rank, "x"), other.tokens(rank, "x"));
        const at = { rows: "x", wire: "y" };
        assertEquals(leg.arrangement(rank, at), other.arrangement(rank, at));
      }
    }
  }
});
