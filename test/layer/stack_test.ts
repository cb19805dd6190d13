import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  BUILT_IN,
  createLayer,
  createStack,
  openEngine,
  SchemoeError,
  topK,
  topology,
} from "../../mod.ts";
import { GraphBuilder, segmentsOf, stackGraph } from "../../lib/graph/mod.ts";

const layer = { tokens: 16, modelDim: 8, hiddenDim: 16, experts: 4, gate: topK({ k: 2 }) };
const attention = { flops: 1e6, bytes: 1e4, parameters: 1000 };

Deno.test("createStack() computes on the CPU what its layers compute one after another", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const choices = { scheduler: "optSche", chunks: 2, bound: false };
  using stack = createStack(engine, { layer, layers: 3, attention, gradientChunks: 2 });
  const forward = await stack.forward({ ...choices, results: true });
  const backward = await stack.backward({ ...choices, results: true });
  const singles = [0, 1, 2].map((l) => createLayer(engine, layer, { seed: l }));
  const values = Object.keys(stack.parameters);
  assertEquals(values.length, 3 * 5);
  // the same parameters in three layers of their own, the output of one put into the next
  let x: Float32Array | undefined;
  const given = new Map<string, Float32Array>();
  const random = (name: string, at: number) => {
    const count = stack.parameters[name].reduce((a, b) => a * b, 1);
    return Float32Array.from({ length: count }, (_, i) => Math.sin(i * 0.7 + at) / 3);
  };
  values.forEach((name, at) => given.set(name, random(name, at)));
  const input = Float32Array.from({ length: 2 * 16 * 8 }, (_, i) => Math.cos(i * 1.3));
  const slope = Float32Array.from({ length: 2 * 16 * 8 }, (_, i) => Math.sin(i * 0.9));
  stack.set({ ...Object.fromEntries(given), x: input, dy: slope });
  const [together, back] = [await stack.forward(choices), await stack.backward(choices)];
  x = input;
  for (const [l, single] of singles.entries()) {
    for (const name of Object.keys(single.parameters)) {
      single.set({ [name]: given.get(`L${l}.${name}`)! });
    }
    x = (await single.forward({ ...choices, x })).output!;
  }
  assertEquals(together.output, x);
  let dy = slope;
  for (const l of [2, 1, 0]) {
    const { gradients } = await singles[l].backward({ ...choices, dy });
    for (const name of Object.keys(singles[l].parameters)) {
      assertEquals(back.gradients![`L${l}.${name}`], gradients![name], `layer ${l}: ${name}`);
    }
    dy = gradients!.x as typeof dy;
  }
  assertEquals(back.gradients!.x, dy);
  for (const single of singles) single.close();
  assert(forward.output!.some((value) => value !== 0) && backward.gradients!.x.length === 256);
});

Deno.test("the configuration of a stack says all that was chosen", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  using stack = createStack(engine, { layer, layers: 2 });
  const compressor = { dispatch: "fp16", combine: "int8" };
  const { configuration } = await stack.forward({ compressor, scheduler: "fasterMoE", chunks: 2 });
  const { scheduler, chunks, chunking, expert } = configuration;
  assertEquals([configuration.compressor, scheduler, chunks, chunking, expert], [
    "fp16/int8",
    "fasterMoE",
    2,
    "peers in groups of 2",
    "ffn(relu)",
  ]);
});

Deno.test("every built-in scheduler runs a stack, in both passes, above its bound", async () => {
  const world = topology({ nodes: 2, ranksPerNode: 2 });
  using engine = openEngine({ kind: "simulate", topology: world });
  for (const scheduler of BUILT_IN.scheduler) {
    const stack = createStack(engine, {
      layer: { ...layer, tokens: 64 },
      layers: 2,
      attention,
      gradientChunks: 3,
    });
    for (const allToAll of ["linear", "pipe"]) {
      const choices = { scheduler, allToAll, chunks: 2 };
      for (const run of [await stack.forward(choices), await stack.backward(choices)]) {
        assert(run.makespan >= run.bound! * (1 - 1e-9), `${scheduler}: ${run.verdict}`);
        assert(new Set(run.ran[0].program.order.map((task) => task.layer)).size === 2);
      }
    }
  }
});

Deno.test("a stack hides reductions of gradients behind the layers below", async () => {
  using engine = openEngine({
    kind: "simulate",
    topology: topology({ nodes: 2, ranksPerNode: 2 }),
  });
  const time = async (layers: number, parameters: number, gradientChunks = 4) => {
    const stack = createStack(engine, {
      layers,
      gradientChunks,
      attention: { flops: 1e6, parameters },
      layer: { ...layer, tokens: 256, hiddenDim: 4096 },
    });
    await stack.forward({ bound: false });
    return (await stack.backward({ scheduler: "optSche", chunks: 2 })).makespan;
  };
  const [without, reduced] = [await time(4, 0), await time(4, 20_000)];
  const [one, reducedOne] = [await time(1, 0), await time(1, 20_000)];
  const alone = reducedOne - one;
  // only the last layer's reduction has nothing to hide behind
  assert(reduced - without < 2 * alone, `${reduced - without} against ${alone}`);
  assert(alone > 0);
});

Deno.test("sequential lets nothing of a stack overlap", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const stack = createStack(engine, { layer, layers: 2, attention });
  await stack.forward({ scheduler: "sequential" });
  const { ran: [{ program, events }] } = await stack.backward({ scheduler: "sequential" });
  const { ranks } = program.graph.topology;
  for (let p = 1; p < program.order.length; p++) {
    assert(events.start[p * ranks] >= events.end[(p - 1) * ranks], program.order[p].name);
  }
});

Deno.test("stackGraph() and createStack() name what is wrong", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const fails = (config: object, message: string) =>
    assertThrows(() => createStack(engine, config as never), SchemoeError, message);
  fails({ layer, layers: 0 }, "layers must be a positive integer, got 0");
  fails({ layer, layers: 2, attention: { flops: NaN } }, "attention.flops");
  fails({ layer, layers: 2, attention: { flops: 1, parameters: -3 } }, "attention.parameters");
  fails({ layer, layers: 2, depth: 3 }, '"depth" is not one of its fields');
  fails(
    { layer: { ...layer, routing: { capacityFactor: 0 } }, layers: 2 },
    "depends on the routing",
  );
  await assertRejects(
    () => createStack(engine, { layer, layers: 2 }).backward(),
    SchemoeError,
    "run forward first",
  );
  const graph = (on = engine.topology) => new GraphBuilder(on, "forward", 1).build({});
  const segment = { layer: 0, prefix: "L0.", exits: [] };
  assertThrows(() => stackGraph([], {}), SchemoeError, "there are none");
  assertThrows(
    () => stackGraph([{ ...segment, graph: graph() }, { ...segment, graph: graph() }], {}),
    SchemoeError,
    '"L0." comes twice',
  );
  const other = graph(topology({ nodes: 1, ranksPerNode: 2 }));
  assertThrows(
    () =>
      stackGraph([{ ...segment, graph: graph() }, { ...segment, prefix: "L1.", graph: other }], {}),
    SchemoeError,
    "another world",
  );
  assertEquals(segmentsOf(graph()), undefined);
});
