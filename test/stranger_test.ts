/**
 * What strangers to this code wanted, each in one line.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import * as lab from "../mod.ts";
import { routerOf } from "../lib/blocks/mod.ts";
import { columnSum, gemm } from "../lib/kernels/mod.ts";
import type { Matrix } from "../lib/kernels/types.ts";
import { simulated } from "../lib/layer/mod.ts";
import { loadsOf, zipfRouting } from "../lib/routing/mod.ts";
import type { Scheduler } from "../lib/schedulers/types.ts";
import * as timeline from "../lib/timeline/mod.ts";
import { SchemoeError } from "../lib/types.ts";

const { compare, createLayer, explain, openEngine, report, topK, topology } = lab;
const sizes = { tokens: 64, modelDim: 16, hiddenDim: 32, experts: 4, gate: topK({ k: 2 }) };
const simulator = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
const layer = createLayer(simulator, sizes);
const engine = () => openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });

/** Text of the error that something gives. */
async function told(act: () => unknown): Promise<string> {
  try {
    await act();
  } catch (error) {
    assert(error instanceof SchemoeError, `${error}`);
    return error.message;
  }
  throw new Error("it gave no error");
}

Deno.test("in one line: a gate", async () => {
  using cpu = engine();
  const gate = routerOf({
    name: "first",
    k: 1,
    route: ({ tokens }) => ({
      choices: new Int32Array(tokens),
      weights: new Float32Array(tokens).fill(1),
    }),
    grad: ({ tokens, experts }) => new Float32Array(tokens * experts),
  });
  const run = await createLayer(cpu, { ...sizes, gate }).forward();
  assertEquals([...run.loads!.subarray(0, 4)], [64, 0, 0, 0]);
});

Deno.test("in one line: a scheduler", async () => {
  const run = await layer.forward({ scheduler: { name: "mine", order: ({ tasks }) => tasks } });
  assertEquals(run.configuration.scheduler, "mine");
});

Deno.test("in one line: a scheduler that takes the last weight gradient first", async () => {
  const lastFirst: Scheduler = {
    name: "last",
    reassociate: true,
    order: ({ tasks, chunks }) =>
      tasks.toSorted((a, b) =>
        +(a.chunk >= 0) + +(a.chunk >= chunks) - +(b.chunk >= 0) - +(b.chunk >= chunks) ||
        b.chunk - a.chunk || a.stage - b.stage
      ),
  };
  await layer.forward({ chunks: 2 });
  const run = await layer.backward({ chunks: 2, scheduler: lastFirst });
  const order = run.ran[0].program.order.filter(({ label }) => label === "Ew");
  assertEquals(order.map(({ chunk }) => chunk), [1, 0]);
});

Deno.test("in one line: experts on fewer ranks than there are", async () => {
  const run = await createLayer(simulator, { ...sizes, parallel: { expert: 2 } }).forward();
  assert(run.makespan > 0);
});

Deno.test("in one line: links and processors in the units that people write", () => {
  const world = topology({
    nodes: 2,
    ranksPerNode: 8,
    inter: { bandwidth: "50 GB/s", latency: "5 us" },
    processor: { flopRate: "989 TFLOP/s" },
  });
  assertEquals([world.links.inter.beta, world.processor.flopRate], [1 / 50e9, 989e12]);
});

Deno.test("in one line: a link of 50e9 seconds a byte is refused, with what was meant", async () => {
  const error = await told(() =>
    topology({ nodes: 2, ranksPerNode: 8, inter: { alpha: 5e-6, beta: 50e9 } })
  );
  assertMatch(error, /inter.*bandwidth/s);
});

Deno.test("in one line: a picture that says what cluster it is of", async () => {
  const run = await createLayer(
    openEngine({ kind: "simulate", topology: lab.testbed("2080ti-ib100").topology }),
    { ...sizes, experts: 32 },
  ).forward();
  assertMatch(await run.svg(), /2080ti-ib100 · inside a node .*GB\/s.*between nodes/);
});

Deno.test("in one line: median and spread of several runs", async () => {
  using cpu = engine();
  const run = await createLayer(cpu, sizes).forward({ repeats: 3 });
  assertMatch(run.verdict, /makespan .*\(median of 3, .* to .*\)/);
});

Deno.test("in one line: whether a difference exceeds the spread", async () => {
  using cpu = engine();
  const { table } = compare([
    await createLayer(cpu, sizes).forward({ repeats: 2 }),
    await createLayer(cpu, sizes).forward({ repeats: 2, chunks: 2 }),
  ]);
  assertEquals((table.array("clear") as unknown[]).map((known) => typeof known), [
    "boolean",
    "boolean",
  ]);
});

Deno.test("in one line: whether something else held a run up", async () => {
  assertEquals(timeline.disturbance(await layer.forward()), undefined);
});

Deno.test("in one line: the best of all choices", async () => {
  const { best } = await lab.whatIf(await layer.forward(), {
    vary: "chunks",
    values: [1, 2, 4],
    schedulers: ["sequential", "optSche"],
    allToAlls: ["linear", "pipe"],
  });
  assertEquals(best.map(({ value }) => value), [1, 2, 4]);
});

Deno.test("in one line: how well the simulator predicts a run", async () => {
  using cpu = engine();
  const { table } = timeline.predictedVsMeasured(
    ...(await createLayer(cpu, sizes).forward().then((run) => [run, simulated(run)] as const)),
  );
  assert((table.array("what") as string[]).includes("makespan"));
});

Deno.test("in one line: a run that ends after a time", async () => {
  using cpu = engine();
  const stuck: lab.Expert = {
    ...lab.ffn(),
    name: "stuck",
    forward: (c) => [c.host(() => new Promise<void>((done) => setTimeout(done, 1000)))],
  };
  const error = await told(() =>
    createLayer(cpu, { ...sizes, expert: stuck }).forward({ timeLimit: 0.2 })
  );
  assertMatch(error, /0\.2 s/);
});

Deno.test("in one line: a run that a signal ends", async () => {
  using cpu = engine();
  const error = await told(() => createLayer(cpu, sizes).forward({ signal: AbortSignal.abort() }));
  assertMatch(error, /aborted/);
});

Deno.test("in one line: a picture, a folder and a trace of a run", async () => {
  const folder = await Deno.makeTempDir();
  const run = await layer.forward();
  const made = [
    await run.svg(),
    await run.png(),
    await run.save(`${folder}/run`),
    await run.trace(`${folder}/run.json`),
  ];
  assertEquals(made.length, 4);
  assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name).sort(), [
    "run",
    "run.json",
  ]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("in one line: everything that takes a timeline takes a run", async () => {
  const run = await layer.forward();
  assertEquals(
    await timeline.ganttSvg(run, { title: "x", lines: [] }),
    await timeline.ganttSvg(run.timeline, { title: "x", lines: [] }),
  );
  assertEquals(`${timeline.skew(run)}`, `${timeline.skew(run.timeline)}`);
});

Deno.test("in one line: a dark picture", async () => {
  const run = await layer.forward();
  assertStringIncludes(await run.svg({ theme: "dark" }), 'fill="#0d1117"');
});

Deno.test("in one line: several runs as one value of a cell", async () => {
  const shown = await report([
    await layer.forward({ name: "one" }),
    await layer.forward({ name: "two", chunks: 2 }),
  ])[Symbol.for("Jupyter.display")]();
  assertMatch(shown["text/html"], /one[^]*two/);
});

Deno.test("in one line: a list of runs as a line each", async () => {
  const text = Deno.inspect([
    await layer.forward({ name: "one" }),
    await layer.backward({ name: "two" }),
  ]);
  assertMatch(text, /one · forward: makespan .*\n.*two · backward: makespan/);
  assertMatch(`${await layer.forward({ name: "one" })}`, /^one · forward: makespan /);
});

Deno.test("in one line: where the time of a run goes", async () => {
  const { sentences } = explain(await layer.forward());
  assertMatch(sentences[0], /is bound by/);
});

Deno.test("in one line: why one run takes longer than another", async () => {
  const { summary } = {
    summary: `${timeline.difference(await layer.forward(), await layer.forward({ chunks: 2 }))}`,
  };
  assertMatch(summary, /^The second run takes/);
});

Deno.test("in one line: what each gap waits for, and the memory in use", async () => {
  assertMatch(
    await (await layer.forward({ chunks: 2 })).svg({ waits: true, memory: true }),
    /waits for[^]*memory: at most/,
  );
});

Deno.test("in one line: which experts the tokens go to", () => {
  const { table } = timeline.tokenMap([
    zipfRouting({ ranks: 4, tokens: 64, experts: 8, exponent: 1 }),
  ]);
  assertEquals(table.numRows(), 8);
});

Deno.test("in one line: a simulated run with a routing of one's own", async () => {
  const skewed = { ...sizes, routing: { dropless: true } };
  const run = await createLayer(simulator, skewed).forward({
    loads: loadsOf(zipfRouting({ ranks: 4, tokens: 64, experts: 4, topK: 2, exponent: 1 })),
  });
  assert(run.makespan > 0);
});

Deno.test("in one line: a training step with its loss", async () => {
  using cpu = engine();
  using model = lab.createModel(cpu, {
    vocabulary: 20,
    context: 4,
    batch: 1,
    modelDim: 8,
    attention: { heads: 2, keyValueHeads: 1 },
    layers: [{ moe: { experts: 2, hiddenDim: 8 } }],
  });
  const { loss } = await model.step(new Int32Array(2 * 5));
  assert(loss! > 0);
});

Deno.test("in one line: weights and data of one's own", async () => {
  using cpu = engine();
  using own = createLayer(cpu, sizes).set({ "gate.weight": new Float32Array(4 * 16).fill(0.1) });
  const { output } = await own.forward({ x: new Float32Array(2 * 64 * 16).map(Math.sin) });
  assertEquals(output!.length, 2 * 64 * 16);
});

Deno.test("in one line: gradients of a loss of one's own", async () => {
  using cpu = engine();
  using own = createLayer(cpu, sizes);
  const { output } = await own.forward();
  const { gradients } = await own.backward({ dy: output!.map((y) => 2 * y) });
  assertEquals(gradients!["gate.weight"].length, 4 * 16);
});

Deno.test("in one line: an expert with another activation", async () => {
  using cpu = engine();
  const run = await createLayer(cpu, { ...sizes, expert: lab.geglu() }).forward();
  assert(run.makespan > 0);
});

Deno.test("in one line: kernels with the same options", () => {
  const m: Matrix = { buffer: "m", offset: 0, rows: 2, columns: 2, ld: 2, groups: 1, stride: 4 };
  const added = [gemm(m, m, m, { add: true }), columnSum(m, { ...m, rows: 1 }, { add: true })];
  assertEquals(added.map(({ name }) => name), ["gemm", "column_sum"]);
});

Deno.test("in one line: the first number that is not finite, by name", async () => {
  using cpu = engine();
  const error = await told(() =>
    createLayer(cpu, sizes).forward({
      x: new Float32Array(2 * 64 * 16).fill(NaN),
      checkNumbers: true,
    })
  );
  assertMatch(error, /NaN/);
});

Deno.test("in one line: a forgotten await is said to be one", async () => {
  const error = await told(() => explain(layer.forward() as never));
  assertStringIncludes(error, 'write "await"');
  await simulator.idle();
});

Deno.test("in one line: did you mean optSche", async () => {
  assertStringIncludes(
    await told(() => layer.forward({ scheduler: "OptSche" })),
    'did you mean "optSche"?',
  );
});

Deno.test("in one line: did you mean linear", async () => {
  assertStringIncludes(
    await told(() => layer.forward({ allToAll: "linea" })),
    'did you mean "linear"?',
  );
});

Deno.test("in one line: did you mean chunks", async () => {
  assertStringIncludes(
    await told(() => layer.forward({ chunk: 2 } as never)),
    'did you mean "chunks"?',
  );
});

Deno.test("in one line: numbers that are text are shown in quotes", async () => {
  assertStringIncludes(await told(() => layer.forward({ chunks: "4" as never })), '"4"');
});
