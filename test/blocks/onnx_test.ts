import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { onnx } from "../../lib/blocks/experts/mod.ts";
import { createLayer } from "../../lib/layer/mod.ts";
import { type GoldenCase, largestError, parseGolden } from "../../lib/studies/golden.ts";
import { openEngine } from "../../lib/engines/mod.ts";
import type { Expert } from "../../lib/blocks/experts/types.ts";
import { SchemoeError } from "../../lib/types.ts";
import { topology } from "../../lib/topology.ts";
import { onnxModel } from "./onnx_fixture.ts";

const GOLDEN = `${import.meta.dirname}/../golden`;

async function golden(name: string): Promise<GoldenCase> {
  return parseGolden(await Deno.readFile(`${GOLDEN}/${name}.safetensors`), name);
}

const paths = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${GOLDEN}/onnx/${name}.expert-${i}.onnx`);

const config = { tokens: 8, modelDim: 4, hiddenDim: 8, experts: 2, routing: { capacityFactor: 2 } };

for (const [name, nodes] of [["top2-relu", 2], ["swiglu", 1]] as const) {
  Deno.test(`onnx() gives the golden outputs through the distributed layer: ${name}`, async () => {
    const { config, ranks, tensors } = await golden(name);
    await using expert = await onnx(paths(name, config.experts));
    using engine = openEngine({ kind: "cpu", nodes, ranksPerNode: ranks / nodes, links: "plain" });
    using layer = createLayer(engine, { ...config, expert });
    assertEquals(Object.keys(layer.parameters), ["gate.weight"]);
    layer.set({ "gate.weight": tensors.get("gate.weight")!.data });
    const x = tensors.get("x")!.data;
    for (const chunks of [1, 3]) {
      for (const scheduler of ["sequential", "optSche"]) {
        for (const allToAll of ["linear", "pipe"]) {
          const run = await layer.forward({ x, chunks, scheduler, allToAll, bound: false });
          const error = largestError(run.output!, tensors.get("y")!.data);
          assert(error < 1e-5, `${scheduler}, ${allToAll}, ${chunks} chunks: ${error}`);
        }
      }
    }
  });
}

Deno.test("onnx() gives the same through a dropless layer as through a padded one", async () => {
  const { config, ranks, tensors } = await golden("top2-relu");
  await using expert = await onnx(paths("top2-relu", config.experts));
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: ranks, links: "plain" });
  const run = async (fields: object) => {
    const { routing: _, ...others } = config;
    using layer = createLayer(engine, { ...others, ...fields, expert });
    layer.set({ "gate.weight": tensors.get("gate.weight")!.data });
    const { output } = await layer.forward({ x: tensors.get("x")!.data, chunks: 3, bound: false });
    return output!;
  };
  const error = largestError(
    await run({ routing: { dropless: true } }),
    await run({ routing: { capacityFactor: 0 } }),
  );
  assert(error < 1e-5, `error ${error}`);
});

Deno.test("onnx() lets other lanes go on while a model runs", async () => {
  const { config, ranks, tensors } = await golden("top2-relu");
  await using expert = await onnx(paths("top2-relu", config.experts));
  // A model that takes long, whatever the machine.
  const slow: Expert = {
    ...expert,
    forward: (c) =>
      expert.forward({
        ...c,
        host: (run) =>
          c.host(async (at) => {
            await new Promise((resolve) => setTimeout(resolve, 80));
            await run(at);
          }),
      }),
  };
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: ranks / 2 });
  using layer = createLayer(engine, { ...config, expert: slow });
  layer.set({ "gate.weight": tensors.get("gate.weight")!.data });
  const x = tensors.get("x")!.data;
  const run = await layer.forward({ x, chunks: 2, scheduler: "optSche", bound: false });
  assert(largestError(run.output!, tensors.get("y")!.data) < 1e-5);
  const rows = run.timeline.objects() as {
    name: string;
    rank: number;
    start_ns: number;
    end_ns: number;
  }[];
  for (let rank = 0; rank < ranks; rank++) {
    const [expertTask, send] = ["E[0]", "A1[1]"].map((name) =>
      rows.find((row) => row.rank === rank && row.name === name)!
    );
    assert(expertTask.end_ns - expertTask.start_ns >= 79e6);
    assert(send.end_ns < expertTask.end_ns, "A1[1] ends while E[0] waits for its model");
  }
});

Deno.test("onnx() is forward only, and says so", async () => {
  await using expert = await onnx([onnxModel({}), onnxModel({})]);
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, { ...config, expert });
  const run = await layer.forward({ bound: false, results: true });
  await assertRejects(
    () => layer.backward(),
    SchemoeError,
    'expert "onnx(2 models)" is forward only',
  );
  const again = await layer.forward({ bound: false });
  assertEquals(again.output, run.output);
});

Deno.test("onnx() runs on the simulator, whose experts take what their flops say", async () => {
  await using expert = await onnx([onnxModel({}), onnxModel({})], { flops: 1e9 });
  const world = topology({ nodes: 1, ranksPerNode: 2 }); // 20 GFLOP/s a rank
  using engine = openEngine({ kind: "simulate", topology: world });
  const run = await createLayer(engine, { ...config, expert }).forward();
  assertAlmostEquals(run.makespan, 16e9 / 20e9, 0.01);
});

Deno.test("onnx() reads and writes rows of any leading dimension", async () => {
  await using expert = await onnx([onnxModel({}), onnxModel({})]);
  const floats = Float32Array.from({ length: 64 }, (_, i) => i % 7 - 3);
  const bytes = new Uint8Array(floats.buffer);
  const expected = floats.slice();
  const matrix = { buffer: "a", offset: 8, rows: 3, columns: 4, ld: 6, groups: 2, stride: 24 };
  for (let group = 0; group < 2; group++) {
    for (let row = 0; row < 3; row++) {
      for (let column = 0; column < 4; column++) {
        const at = 2 + 24 * group + 6 * row + column;
        expected[at] = Math.max(0, floats[at]);
      }
    }
  }
  await new Promise<void>((resolve, reject) => {
    expert.forward({
      shape: config,
      firstExpert: 0,
      experts: 2,
      first: true,
      x: matrix,
      y: matrix,
      dx: matrix,
      dy: matrix,
      parameter: () => matrix,
      gradient: () => matrix,
      saved: () => matrix,
      host: (run) => {
        Promise.resolve(run({
          rank: 0,
          read: ({ offset }, count) => bytes.slice(offset, offset + count),
          write: ({ offset }, data) => bytes.set(data, offset),
        })).then(resolve, reject);
        return { name: "host", args: [0] };
      },
    });
  });
  assertEquals(floats, expected);
});

Deno.test("onnx() rejects models that cannot be experts, naming each", async (t) => {
  const golden = await Deno.readFile(`${GOLDEN}/onnx/top2-relu.expert-0.onnx`);
  const wrong: Record<string, [Parameters<typeof onnx>[0], string]> = {
    "a missing file": [["no/such.onnx"], "Cannot use no/such.onnx as an expert: it cannot be read"],
    "no model": [
      [new Uint8Array([1, 2, 3])],
      "Cannot use model 0 as an expert: it is not an ONNX model",
    ],
    "half a model": [[golden.subarray(0, 9000)], "model 0 as an expert: it is not an ONNX model"],
    "nothing": [[], "give an array with a model for each expert"],
    "not a path": [[7 as unknown as string], "model 0 is 7, not a path"],
    "two inputs": [[onnxModel({ inputs: 2 })], "it has 2 inputs (x0, x1), an expert has one"],
    "another type": [
      [onnxModel({ type: 11 })],
      'its input "x0" is float64 [n, 4], float32 is needed',
    ],
    "a vector": [[onnxModel({ shape: [4] })], 'its input "x0" is float32 [4], a matrix'],
    "a fixed number of rows": [[onnxModel({ shape: [6, 4] })], "its rows must be free"],
    "two widths": [[onnxModel({}), golden], "model 1 takes 32 columns, model 0 takes 4"],
  };
  for (const [what, [models, message]] of Object.entries(wrong)) {
    await t.step(what, async () => {
      const error = await assertRejects(() => onnx(models), SchemoeError);
      assert(error.message.includes(message), error.message);
    });
  }
  await t.step("an unknown option", async () => {
    const options = { flop: 1 } as unknown as { flops: number };
    await assertRejects(() => onnx([golden], options), SchemoeError, '"flop" is not an option');
  });
});

Deno.test("createLayer() rejects models that do not fit, before anything runs", async () => {
  await using two = await onnx([onnxModel({}), onnxModel({})]);
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const make = (changes: object) => () =>
    createLayer(engine, { ...config, expert: two, ...changes });
  assertThrows(make({ experts: 4 }), SchemoeError, "the layer has 4 experts, there are 2 models");
  assertThrows(
    make({ modelDim: 8 }),
    SchemoeError,
    "the layer has modelDim 8, model 0 takes 4 columns",
  );
});

Deno.test("close() of onnx() ends its use, and only once", async () => {
  const expert = await onnx([onnxModel({}), onnxModel({})]);
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, { ...config, expert });
  await layer.forward({ bound: false });
  await expert.close();
  await expert.close();
  await assertRejects(() => layer.forward({ bound: false }), SchemoeError, "it is closed");
});
