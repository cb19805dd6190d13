import {
  assert,
  assertEquals,
  assertLess,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  BUILT_IN,
  capacitySlices,
  createLayer,
  type Engine,
  type Expert,
  ffn,
  type LayerConfig,
  openEngine,
  type PassChoices,
  peerGroups,
  SchemoeError,
  topK,
} from "../../mod.ts";
import { gshard } from "../../lib/blocks/mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import { expertWork } from "../../lib/timeline/mod.ts";
import { gemm } from "../../lib/kernels/mod.ts";
import { goldenErrors, largestError, runGolden } from "../../lib/studies/golden.ts";
import { bytes, roundabout } from "../alltoall/own.ts";
import { goldenCase } from "./golden_cases.ts";
import { reference } from "./reference.ts";

const TOLERANCE = 1e-5;
const MODEL = 8;
const HIDDEN = 12;
const TOKENS = 24;

/** The experts of a token: first choice, second choice. */
type Routing = (
  at: { rank: number; token: number; ranks: number; experts: number },
) => readonly [number, number];

const ROUTINGS: Record<string, Routing> = {
  "all tokens to one expert": () => [0, 1],
  "experts without tokens": ({ token, experts }) => token % 3 ? [0, experts - 1] : [experts - 1, 0],
  "ranks without tokens for a peer": ({ rank, token, ranks, experts }) => {
    const local = experts / ranks;
    const begin = ((rank + 1) % ranks) * local;
    return [begin + token % local, begin + (token + 1) % local];
  },
  "as it comes": ({ rank, token, experts }) => {
    const first = (token * token + 3 * rank) % experts;
    return [first, (first + 1 + (token % (experts - 1))) % experts];
  },
};

const WORLDS = [[1, 1], [1, 2], [2, 2], [2, 4]] as const;

function inputsFor(routing: Routing, ranks: number, experts: number) {
  const x = randomNormal(ranks * TOKENS * MODEL, { seed: 5, scale: 0.1 });
  for (let rank = 0; rank < ranks; rank++) {
    for (let token = 0; token < TOKENS; token++) {
      const [first, second] = routing({ rank, token, ranks, experts });
      x[(rank * TOKENS + token) * MODEL + first] += 4;
      x[(rank * TOKENS + token) * MODEL + second] += 3;
    }
  }
  const gate = new Float32Array(experts * MODEL);
  for (let e = 0; e < experts; e++) gate[e * MODEL + e] = 1;
  return { x, "gate.weight": gate };
}

const config = (experts: number, others: Partial<LayerConfig> = {}): LayerConfig => ({
  tokens: TOKENS,
  modelDim: MODEL,
  hiddenDim: HIDDEN,
  experts,
  gate: topK({ k: 2 }),
  losses: [gshard({ weight: 0.1 })],
  ...others,
});

/** Tensors of a pass forward and backward. */
async function results(
  engine: Engine,
  layerConfig: LayerConfig,
  tensors: Record<string, Float32Array>,
  { forward, backward }: { forward: PassChoices; backward: PassChoices },
): Promise<Record<string, Float32Array>> {
  using layer = createLayer(engine, layerConfig, { seed: 2 });
  layer.set(tensors);
  const there = await layer.forward({ bound: false, ...forward });
  const back = await layer.backward({ bound: false, ...backward });
  return { y: there.output!, aux_loss: there.losses!.gshard, ...back.gradients! };
}

function assertNear(
  got: Record<string, Float32Array>,
  expected: Record<string, ArrayLike<number>>,
  where: string,
): void {
  for (const [name, values] of Object.entries(expected)) {
    assertLess(largestError(got[name], Float32Array.from(values)), TOLERANCE, `${name}: ${where}`);
  }
}

/**
 * Rows that zfp codes together have other neighbours where places without a token have no rows: both differ
 * from exact values by its error, about 0.07 of the norm, and 0.25 where rounding switches units of a ReLU.
 */
function assertAlike(
  got: Record<string, Float32Array>,
  expected: Record<string, Float32Array>,
  where: string,
): void {
  const norm = (values: Iterable<number>) =>
    Math.sqrt([...values].reduce((sum, value) => sum + value * value, 0));
  for (const [name, values] of Object.entries(expected)) {
    const error = norm(values.map((value, i) => value - got[name][i])) / norm(values);
    assertLess(error, name === "y" ? 0.14 : 0.5, `${name}: ${where}`);
  }
}

/** Bytes of all tensors as text, quick to compare. */
const bits = (tensors: Iterable<Float32Array>) =>
  [...tensors].map((values) =>
    new TextDecoder("latin1").decode(
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    )
  );

for (const nodes of [1, 2, 4]) {
  Deno.test(`runGolden() of top2-dropless without padding on ${nodes} nodes equals the reference; schedules change no bit`, async () => {
    const padded = goldenCase("top2-dropless");
    const golden = { ...padded, config: { ...padded.config, routing: { dropless: true } } };
    using engine = openEngine({ kind: "cpu", nodes, ranksPerNode: 4 / nodes, links: "plain" });
    for (const chunks of [capacitySlices(1), capacitySlices(3), peerGroups(2), peerGroups(4)]) {
      let first: string[] | undefined;
      for (const scheduler of BUILT_IN.scheduler) {
        for (const allToAll of BUILT_IN.allToAll) {
          const got = await runGolden(engine, golden, { scheduler, allToAll, chunks });
          const where = `${scheduler}, ${allToAll}, ${chunks.name}`;
          for (const [name, error] of Object.entries(goldenErrors(golden, got))) {
            assertLess(error, TOLERANCE, `${name}: ${where}`);
          }
          first ??= bits(got.values());
          assertEquals(bits(got.values()), first, where);
        }
      }
    }
  });
}

for (const [nodes, ranksPerNode] of WORLDS) {
  for (const [name, routing] of Object.entries(ROUTINGS)) {
    Deno.test(`a dropless layer on ${nodes} x ${ranksPerNode} ranks computes the definition: ${name}`, async () => {
      const ranks = nodes * ranksPerNode;
      const experts = Math.max(ranks, 4);
      using engine = openEngine({ kind: "cpu", nodes, ranksPerNode, links: "plain" });
      const tensors = inputsFor(routing, ranks, experts);
      using padded = createLayer(engine, config(experts, { routing: { capacityFactor: 0 } }), {
        seed: 2,
      });
      await padded.ready();
      const parameters = Object.fromEntries(
        Object.keys(padded.parameters).filter((p) => p !== "gate.weight")
          .map((p) => [p, padded.get(p)]),
      );
      const all: Record<string, Float32Array> = {
        ...tensors,
        ...parameters,
        dy: randomNormal(ranks * TOKENS * MODEL, { seed: 9 }),
      };
      const { "grad.x": gradX, ...others } = reference({
        ...config(experts) as Required<LayerConfig>,
        ranks,
        topK: 2,
        capacityFactor: 0,
        capacityAlignment: 1,
        auxWeight: 0.1,
        normalizeGate: true,
        batchPrioritized: false,
        prescore: false,
        activation: "relu",
        expert: "ffn",
      }, all);
      const expected = {
        x: gradX,
        ...Object.fromEntries(
          Object.entries(others).map(([key, values]) => [key.replace(/^grad\./, ""), values]),
        ),
      };
      const dropless = config(experts, { routing: { dropless: true } });
      for (const [there, back] of [[1, 1], [2, 3], [5, 1]]) {
        let first: string[] | undefined;
        for (const allToAll of [...BUILT_IN.allToAll, roundabout]) {
          const got = await results(engine, dropless, all, {
            forward: { allToAll, chunks: there, scheduler: "optSche" },
            backward: { allToAll, chunks: back },
          });
          const where = `${
            typeof allToAll === "string" ? allToAll : allToAll.name
          }, ${there}, ${back}`;
          if (!first) assertNear(got, expected, where);
          first ??= bits(Object.values(got));
          assertEquals(bits(Object.values(got)), first, where);
        }
      }
      for (const groups of [2, ranks]) {
        const choices = { chunks: peerGroups(groups), allToAll: roundabout };
        const got = await results(engine, dropless, all, { forward: choices, backward: choices });
        assertNear(got, expected, `${groups} groups of peers`);
      }
    });
  }
}

Deno.test("codecs carry the rows of a dropless layer as they do padded ones", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  const tensors = inputsFor(ROUTINGS["as it comes"], 4, 8);
  const run = (dropless: boolean, choices: PassChoices) =>
    results(
      engine,
      config(8, { routing: dropless ? { dropless } : { capacityFactor: 0 } }),
      tensors,
      {
        forward: choices,
        backward: choices,
      },
    );
  const plain = await run(true, { chunks: 2 });
  for (const compressor of BUILT_IN.compressor) {
    for (const chunks of [1, 2]) {
      const choices = { compressor, chunks, allToAll: "bruck" };
      const got = await run(true, choices);
      const padded = await run(false, choices);
      const where = `${compressor}, ${chunks} chunks`;
      if (compressor === "zfp") assertAlike(got, padded, where);
      else assertNear(got, padded, where);
      if (compressor !== "none") assert(bits([got.y])[0] !== bits([plain.y])[0], compressor);
    }
  }
  const own = await run(true, { compressor: bytes, chunks: 2, allToAll: "hierarchical2d" });
  assertEquals(bits(Object.values(own)), bits(Object.values(plain)));
  const mixed = await run(true, { compressor: { dispatch: bytes, combine: "none" }, chunks: 2 });
  assertEquals(bits(Object.values(mixed)), bits(Object.values(plain)));
});

Deno.test("schedules of a dropless layer that differ between forward and backward change no bit", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  const tensors = inputsFor(ROUTINGS["as it comes"], 4, 8);
  let first: string[] | undefined;
  for (const scheduler of BUILT_IN.scheduler) {
    const got = await results(engine, config(8, { routing: { dropless: true } }), tensors, {
      forward: { scheduler, chunks: capacitySlices(4) },
      backward: { scheduler, chunks: capacitySlices(2) },
    });
    first ??= bits(Object.values(got));
    assertEquals(bits(Object.values(got)), first, scheduler);
  }
});

Deno.test("a dropless layer routes anew at every pass and keeps what backward needs", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, config(4, { routing: { dropless: true } }), { seed: 2 });
  const seen: string[][] = [];
  for (const name of [...Object.keys(ROUTINGS), ...Object.keys(ROUTINGS)]) {
    layer.set(inputsFor(ROUTINGS[name], 2, 4));
    const { output } = await layer.forward({ bound: false });
    const { gradients } = await layer.backward({ bound: false });
    seen.push(bits([output!, ...Object.values(gradients!)]));
  }
  const count = Object.keys(ROUTINGS).length;
  assertEquals(seen.slice(count), seen.slice(0, count));
});

Deno.test("a dropless pass moves and computes no row that is not there", async () => {
  const loads = [[40, 0, 4, 4], [0, 0, 0, 48], [12, 12, 12, 12], [1, 2, 3, 42]];
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 4 });
  const flops = ffn().flops({ modelDim: MODEL, hiddenDim: HIDDEN }).forward;
  using layer = createLayer(engine, {
    ...config(4, { routing: { dropless: true } }),
    tokens: 48,
    gate: topK({ k: 1 }),
  });
  for (const chunks of [1, 3]) {
    const { ran } = await layer.forward({ loads, chunks });
    const { tasks, buffers } = ran.at(-1)!.program.graph;
    const sent = tasks.filter(({ kind }) => kind === "allToAll").flatMap(({ transfers }) =>
      [0, 1, 2, 3].flatMap((rank) => transfers!(rank)).filter(({ kind }) => kind === "send")
    );
    const remote = loads.flatMap((list, rank) => list.filter((_, e) => e !== rank))
      .reduce((a, b) => a + b);
    assertEquals(sent.reduce((sum, { bytes }) => sum + bytes, 0), 2 * remote * 4 * MODEL);
    assert(sent.every(({ bytes }) => bytes > 0));
    const computed = tasks.filter(({ kind }) => kind === "expert");
    assertEquals(computed.length, chunks);
    // Expert 3 is the busiest: 4 + 48 + 12 + 42 rows.
    const all = computed.reduce((sum, task) => sum + task.flops, 0) / flops;
    if (chunks === 1) assertEquals(all, 106);
    assertLess(buffers["expert.x"], 1.3 * 106 * 4 * MODEL);
    assertEquals(buffers["forward.sent"], 48 * 4 * MODEL);
  }
});

Deno.test("capacitySlices() splits a dropless pass into chunks of about equal rows of the busiest rank", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  using layer = createLayer(engine, {
    ...config(4, { routing: { dropless: true } }),
    tokens: 100,
    gate: topK({ k: 1 }),
  });
  const loads = [[10, 10, 20, 60], [4, 6, 0, 90]];
  const { ran } = await layer.forward({ loads, chunks: 4 });
  const flops = ffn().flops({ modelDim: MODEL, hiddenDim: HIDDEN }).forward;
  const rows = ran.at(-1)!.program.graph.tasks.filter(({ kind }) => kind === "expert")
    .map((task) => task.flops / flops);
  // 170 rows of the second rank; a place holds up to 3 of them.
  for (const count of rows) assertLess(Math.abs(count - 170 / 4), 3, rows.join());
  const slow = await layer.forward({ loads });
  const even = await layer.forward({});
  assertLess(even.makespan, slow.makespan);
});

Deno.test("a dropless pass has no more chunks than an expert has rows, and the results of one", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const few = { ...config(8, { routing: { dropless: true } }), tokens: 2 };
  using layer = createLayer(engine, few);
  const dy = randomNormal(4 * MODEL, { seed: 6 });
  const of = async (chunks: number) => {
    const { ran, output } = await layer.forward({ chunks, scheduler: "optSche" });
    const back = await layer.backward({ dy, scheduler: "optSche" });
    const experts = ran.at(-1)!.program.graph.tasks.filter(({ kind }) => kind === "expert");
    return { chunks: experts.length, output: output!, gradients: { ...back.gradients! } };
  };
  const [one, many] = [await of(1), await of(5)];
  assertEquals(one.chunks, 1);
  assert(many.chunks > 1 && many.chunks < 5, `${many.chunks}`);
  assertEquals(many.output, one.output);
  for (const [name, values] of Object.entries(one.gradients)) {
    assertLess(largestError(many.gradients[name], values), TOLERANCE, name);
  }
});

Deno.test("a dropless pass has fewer chunks where its loads are equal too", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const layer = createLayer(engine, {
    ...config(4, { routing: { dropless: true } }),
    tokens: 8,
    gate: topK({ k: 1 }),
  });
  const { ran } = await layer.forward({ loads: [[2, 2, 2, 2], [2, 2, 2, 2]], chunks: 5 });
  const experts = ran.at(-1)!.program.graph.tasks.filter(({ kind }) => kind === "expert");
  assertEquals(experts.length, 2);
  await assertRejects(
    () => layer.forward({ chunks: 5 }), // no gate chose these loads
    SchemoeError,
    "chunks must be an integer from 1 to the capacity 2, got 5",
  );
});

Deno.test("an expert of a dropless layer takes as long as its own rows, in simulation and on paced ranks", async () => {
  const loads = [[10, 10, 20, 60], [4, 6, 0, 90]];
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  using layer = createLayer(engine, {
    ...config(4, { routing: { dropless: true } }),
    tokens: 100,
    gate: topK({ k: 1 }),
  });
  const run = await layer.forward({ loads, chunks: 2 });
  const work = expertWork(run.timeline);
  const flops = ffn().flops({ modelDim: MODEL, hiddenDim: HIDDEN }).forward;
  assertEquals([0, 1].map((rank) => Number(work.get("flops", rank)) / flops), [30, 170]);
  assertLess(Number(work.get("expert_ns", 0)), Number(work.get("expert_ns", 1)));
  assert(run.makespan >= run.bound!);
  const back = await layer.backward({ chunks: 3 });
  assertEquals(
    [0, 1].map((rank) => Number(expertWork(back.timeline).get("flops", rank)) / (2 * flops)),
    [30, 170],
  );
});

Deno.test("equal loads need no padding: a dropless layer is then the padded one", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const shape = { tokens: 64, modelDim: 8, hiddenDim: 8, experts: 8, gate: topK({ k: 2 }) };
  using dropless = createLayer(engine, { ...shape, routing: { dropless: true } });
  using padded = createLayer(engine, { ...shape, routing: { capacityFactor: 1 } });
  const [a, b] = [await dropless.forward({ chunks: 2 }), await padded.forward({ chunks: 2 })];
  const last = a.ran.at(-1)!.program.graph;
  const tasks = b.ran.at(-1)!.program.graph.tasks.filter(({ kind }) => kind !== "gate");
  assertEquals(
    last.tasks.map(({ name, flops, bytes }) => [name, flops, bytes]),
    tasks.map(({ name, flops, bytes }) => [name, flops, bytes]),
  );
});

Deno.test("an expert of one's own works on ragged rows, by kernels and in JavaScript", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const parameters = ({ modelDim: m }: { modelDim: number }) => [{ name: "w", shape: [m, m] }];
  const common = {
    saved: () => [],
    flops: () => ({ forward: 1, inputGrad: 1, weightGrad: 1 }),
  };
  const linear: Expert = {
    ...common,
    name: "linear",
    parameters,
    forward: (c) => [gemm(c.x, c.parameter("w"), c.y)],
    inputGrad: (c) => [gemm(c.dy, c.parameter("w"), c.dx, { transB: true })],
    weightGrad: (c) => [gemm(c.x, c.dy, c.gradient("w"), { transA: true, add: !c.first })],
  };
  const tensors = inputsFor(ROUTINGS["experts without tokens"], 2, 4);
  const run = (expert: Expert, fields: Partial<LayerConfig>, chunks = 2) =>
    results(engine, config(4, { ...fields, expert }), tensors, {
      forward: { chunks },
      backward: { chunks: 3 },
    });
  assertNear(
    await run(linear, { routing: { dropless: true } }),
    await run(linear, { routing: { capacityFactor: 0 } }),
    "",
  );

  const seen: number[] = [];
  const doubled: Expert = {
    ...common,
    name: "doubled",
    parameters: () => [],
    forward: ({ x, y, host, firstExpert }) => [
      host((at) => {
        for (const [group, { first, rows }] of x.ranges!.entries()) {
          if (rows === 0) continue;
          seen.push(firstExpert + group);
          const view = { buffer: x.buffer, offset: x.offset + 4 * first * x.ld };
          const values = new Float32Array(at.read(view, 4 * rows * x.columns).buffer);
          const to = { buffer: y.buffer, offset: y.offset + 4 * first * y.ld };
          at.write(to, new Uint8Array(values.map((v) => 2 * v).buffer));
        }
      }),
    ],
  };
  using layer = createLayer(engine, config(4, { routing: { dropless: true }, expert: doubled }));
  layer.set(tensors);
  const { output } = await layer.forward({ bound: false });
  // Weights of a token add up to 1, so that it comes back doubled.
  assertLess(largestError(output!, tensors.x.map((v) => 2 * v)), TOLERANCE);
  assertEquals([...new Set(seen)].toSorted(), [0, 3]);

  const unaware: Expert = {
    ...doubled,
    forward: ({ x, host }) => [
      host((at) => {
        at.read({ buffer: x.buffer, offset: x.offset + 4 * x.stride }, 4);
      }),
    ],
  };
  using wrong = createLayer(engine, config(4, { routing: { dropless: true }, expert: unaware }));
  await assertRejects(() => wrong.forward({ bound: false }), SchemoeError, "host function failed");
});

Deno.test("createLayer() rejects what does not go with dropless", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const rejects = (fields: Record<string, unknown>, message: string) =>
    assertThrows(
      () => createLayer(engine, config(4, { routing: { dropless: true, ...fields } })),
      SchemoeError,
      message,
    );
  rejects({ capacityFactor: 1 }, "dropless excludes the capacityFactor 1");
  rejects({ capacityFactor: -2 }, "dropless excludes the capacityFactor -2");
  rejects({ capacityAlignment: 8 }, "dropless excludes the capacityAlignment 8");
  rejects({ dropless: 1 }, "dropless must be true or false");
  createLayer(engine, config(4, { routing: { dropless: true, capacityFactor: 0 } })).close();
  createLayer(engine, config(4, { routing: { dropless: false, capacityFactor: 1 } })).close();

  using layer = createLayer(engine, config(4, { routing: { dropless: true } }));
  const loads = (given: unknown, message: string) =>
    assertRejects(() => layer.forward({ loads: given as number[][] }), SchemoeError, message);
  await loads([[12, 12, 12, 12]], "there must be a list for each of the 2 ranks");
  await loads([[48], [48]], "rank 0 must have one for each of the 4 experts");
  await loads([[24, 24, 0, 0], [25, 23, 0, 0]], "rank 1 has a load of 25");
  await loads([[24, 24, 0, 0], [24, 23, 0, 0]], "those of rank 1 add up to 47");
  await loads([[24, 24, 0, 0.5], [24, 24, 0, 0]], "rank 0 has a load of 0.5");
  using padded = createLayer(engine, config(4));
  await assertRejects(
    () => padded.forward({ loads: [[24, 24, 0, 0], [24, 24, 0, 0]] }),
    SchemoeError,
    "they are for dropless layers",
  );
  using one = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 1, representatives: true });
  using folded = createLayer(one, config(4, { routing: { dropless: true } }));
  await assertRejects(
    () => folded.forward({ loads: [[24, 24, 0, 0], [24, 24, 0, 0]] }),
    SchemoeError,
    "one node stands for all",
  );
  await folded.forward();
  using own = createLayer(engine, config(4, { routing: { dropless: true } }));
  await own.forward({ loads: [[24, 24, 0, 0], [24, 24, 0, 0]] });
  const { configuration } = await own.backward();
  assertEquals(configuration.dropless, true);
  assertMatch(String(configuration.capacity), /^24$/);
});
