import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  createLayer,
  openEngine,
  type Scheduler,
  SchemoeError,
  type Task,
  topK,
  topology,
} from "../../mod.ts";

const config = { tokens: 32, modelDim: 8, hiddenDim: 16, experts: 4, gate: topK({ k: 2 }) };
const open = () => openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
/** Links so slow that a pass cannot end in less than a tenth of a second. */
const slow = topology({ nodes: 1, ranksPerNode: 2, intra: { alpha: 0.05 } });

Deno.test("backward() needs a forward pass that succeeded with the same values", async () => {
  using engine = openEngine({ kind: "cpu", topology: slow });
  using layer = createLayer(engine, config);
  const refused = () => assertRejects(() => layer.backward(), SchemoeError, "run forward first");
  await refused();
  await layer.forward();
  await layer.backward();
  layer.set({ "gate.weight": layer.get("gate.weight") });
  await refused();
  await layer.forward();
  await assertRejects(() => layer.forward({ timeLimit: 0.01 }), SchemoeError);
  await refused();
});

Deno.test("a scheduler that would change the graph leaves it as it is for all others", async () => {
  using engine = open();
  using layer = createLayer(engine, config);
  const expected = (await layer.forward({ scheduler: "optSche", chunks: 2 })).output;
  const changes: Scheduler["order"][] = [
    ({ tasks }) => (tasks as Task[]).sort((a, b) => a.stage - b.stage || b.chunk - a.chunk),
    ({ tasks }) => (tasks as Task[]).reverse(),
    ({ tasks }) => {
      for (const task of tasks) (task.after as number[]).length = 0;
      return tasks;
    },
    ({ tasks }) => {
      for (const task of tasks) (task as { after: readonly number[] }).after = [];
      return tasks;
    },
    ({ tasks }) => (tasks as Task[]).splice(0),
  ];
  for (const order of changes) {
    await assertRejects(
      () => layer.forward({ scheduler: { name: "rough", order }, chunks: 2 }),
      SchemoeError,
      'Cannot use the scheduler "rough": its order changes the graph',
    );
    const { output } = await layer.forward({ scheduler: "optSche", chunks: 2 });
    assertEquals(output, expected);
  }
});

Deno.test("a Program keeps its order when the scheduler's own array changes later", async () => {
  using engine = open();
  using layer = createLayer(engine, config);
  let given: Task[] = [];
  const scheduler: Scheduler = { name: "mine", order: ({ tasks }) => given = [...tasks] };
  const first = await layer.forward({ scheduler, results: true });
  given.reverse();
  const second = await layer.forward({ scheduler });
  assertEquals(second.output, first.output);
  assertEquals(second.ran[0].program.order[0].name, "gate");
});

Deno.test("schedulers are asked again once tasks have been measured, and not more often", async () => {
  using engine = open();
  using layer = createLayer(engine, config);
  const sources: string[] = [];
  const scheduler: Scheduler = {
    name: "asking",
    order: ({ tasks }, { source }) => {
      sources.push(source.replace(/,.*/, ""));
      return tasks;
    },
  };
  for (const bound of [false, false, true, true, false]) {
    await layer.forward({ scheduler, bound });
  }
  assertEquals(sources, ["model", "measured alone"]);
});

Deno.test("close() of a layer does nothing a second time, and after its engine", async () => {
  const engine = open();
  const [one, other] = [createLayer(engine, config), createLayer(engine, config)];
  await one.forward({ bound: false });
  await other.forward({ bound: false });
  one.close();
  one.close();
  engine.close();
  one.close();
  other.close();
  other.close();
  await assertRejects(
    () => other.forward(),
    SchemoeError,
    "Cannot run the pass: the layer is closed",
  );
});

Deno.test("forward() of the same seed gives the same bits, another seed others", async () => {
  using engine = open();
  const outputs: (Float32Array | undefined)[] = [];
  for (const seed of [1, 1, 2]) {
    using layer = createLayer(engine, config, { seed });
    outputs.push((await layer.forward()).output);
  }
  assertEquals(outputs[0], outputs[1]);
  assert(outputs[0]!.some((value, i) => value !== outputs[2]![i]));
});

Deno.test("a Run shows its chart, its verdict and its configuration", async () => {
  using engine = open();
  using layer = createLayer(engine, { ...config, routing: { capacityFactor: 0 } });
  const run = await layer.forward({ scheduler: "optSche", chunks: 2, compressor: "int8" });
  const shown = await (run as unknown as Record<symbol, () => Promise<Record<string, string>>>)[
    Symbol.for("Jupyter.display")
  ]();
  assertStringIncludes(shown["image/svg+xml"], "<rect");
  for (const part of [run.verdict, "scheduler optSche", "compressor int8", "world 1 x 2"]) {
    assertStringIncludes(shown["text/plain"], part);
  }
  // two Programs: the gate, which tells the capacity, and the rest after it
  assertEquals(run.ran.length, 2);
  const rows = run.timeline.objects() as { name: string; start_ns: number; end_ns: number }[];
  const last = Math.max(...rows.filter(({ name }) => name === "load max").map((row) => row.end_ns));
  assert(rows.filter(({ name }) => name === "dispatch").every((row) => row.start_ns >= last));
});

Deno.test("forward() calls code of a user's own as often the first time as the next", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, { tokens: 8, modelDim: 4, hiddenDim: 6, experts: 2 });
  const calls = { encode: 0, decode: 0 };
  const compressor = {
    name: "counted",
    wireBytes: ({ rows, columns }: { rows: number; columns: number }) => 4 * rows * columns,
    encode: (values: Float32Array) => {
      calls.encode++;
      return new Uint8Array(values.slice().buffer);
    },
    decode: (bytes: Uint8Array) => {
      calls.decode++;
      return new Float32Array(bytes.slice().buffer);
    },
  };
  await layer.forward({ compressor });
  // there and back, each of 2 ranks for each of 2
  assertEquals(calls, { encode: 8, decode: 8 });
  await layer.forward({ compressor });
  assertEquals(calls, { encode: 16, decode: 16 });
});
