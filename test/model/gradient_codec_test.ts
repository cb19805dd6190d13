import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { createModel, openEngine, SchemoeError } from "../../mod.ts";
import { ffn, topK } from "../../lib/blocks/mod.ts";
import { errorFeedback } from "../../lib/compressors/mod.ts";
import { byCapacity } from "../schedulers/by_capacity.ts";

const moe = {
  experts: 4,
  hiddenDim: 16,
  expert: ffn({ activation: "relu" }),
  gate: topK({ k: 1 }),
};
const config = {
  ...{ vocabulary: 13, context: 8, batch: 2, modelDim: 16, attention: { heads: 2 } },
  ...{ layers: [{ moe }], rate: 1e-2 },
};
const tokens = Int32Array.from({ length: 2 * 2 * 9 }, (_, i) => (i * i) % 13);

Deno.test("createModel() trains with coded gradients of dense parts, which fewer bytes carry", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  const losses = async (more: object) => {
    using model = createModel(engine, { ...config, ...more });
    const list: number[] = [];
    for (let i = 0; i < 12; i++) list.push((await model.step(tokens)).loss!);
    return list;
  };
  const right = await losses({});
  assertEquals(await losses({ gradientCodec: "none" }), right);
  for (const more of [{}, { gradientChunks: 3 }, { microbatches: 2 }]) {
    const first = (await losses(more))[0];
    for (
      const gradientCodec of [
        "int8Blocks",
        { allGather: "int8Blocks" },
        { reduceScatter: "int8Blocks", allGather: "mxfp8" },
      ]
    ) {
      const coded = await losses({ ...more, gradientCodec });
      assertEquals(coded[0], first);
      assert(coded[11] < .8 * coded[0], `${coded}`);
      assertAlmostEquals(coded[11], right[11], .1 * right[0]);
    }
  }
  const bytes = async (more: object) => {
    using simulator = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
    using model = createModel(simulator, { ...config, vocabulary: 500, modelDim: 128, ...more });
    const { timeline } = await model.step();
    return (timeline.objects() as { kind: string; bytes: number }[])
      .filter(({ kind }) => kind === "allReduce").reduce((sum, row) => sum + row.bytes, 0);
  };
  const [coded, plain] = [await bytes({ gradientCodec: "int8Blocks" }), await bytes({})];
  assert(coded < .75 * plain && coded > .6 * plain, `${coded} of ${plain}`);
  const halves = { reduceScatter: "int8Blocks", allGather: "int8Blocks" };
  const both = await bytes({ gradientCodec: halves });
  assert(both < .45 * plain && both > .2 * plain, `${both} of ${plain}`);
});

Deno.test("createModel() keeps what was lost in checkpoints", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  const gradientCodec = { reduceScatter: "mxfp4", allGather: "int4" };
  const make = () => createModel(engine, { ...config, gradientCodec });
  const path = await Deno.makeTempFile({ suffix: ".safetensors" });
  using whole = make();
  using again = make();
  for (let i = 0; i < 2; i++) await whole.step(tokens);
  await whole.save(path);
  await again.load(path);
  for (let i = 0; i < 3; i++) {
    assertEquals((await again.step(tokens)).loss, (await whole.step(tokens)).loss);
  }
  await Deno.remove(path);
});

Deno.test("a checkpoint with what codecs of gradients lost loads on another number of ranks", async () => {
  const path = await Deno.makeTempFile();
  const codecs = { reduceScatter: "int8Blocks", allGather: "int4" };
  const open = (ranksPerNode: number) =>
    openEngine({ kind: "cpu", nodes: 1, ranksPerNode, links: "plain" });
  for (const [before, after] of [[2, 4], [4, 2], [1, 2], [2, 1]]) {
    const make = (engine: ReturnType<typeof open>) => {
      const batch = 4 / engine.topology.ranks;
      // without drops, which depend on the ranks
      const layers = [{ moe: { ...moe, routing: { capacityFactor: 0 } } }];
      return createModel(engine, {
        ...{ ...config, batch, layers, gradientCodec: codecs, gradientChunks: 2 },
      });
    };
    using first = open(before);
    using saved = make(first);
    for (let step = 0; step < 2; step++) await saved.step(tokens);
    await saved.save(path);
    const expected = (await saved.step(tokens)).loss!;
    using other = open(after);
    using loaded = make(other);
    // what it lost itself is not what it goes on with
    await loaded.step(tokens);
    await loaded.load(path);
    assertAlmostEquals((await loaded.step(tokens)).loss!, expected, 1e-5);
    using fresh = make(other);
    await fresh.load(path);
    const next = [];
    for (let step = 0; step < 2; step++) next.push((await fresh.step(tokens)).loss);
    await loaded.load(path);
    for (const loss of next) assertEquals((await loaded.step(tokens)).loss, loss);
  }
  await Deno.remove(path);
});

Deno.test("createModel() refuses codecs of gradients that are not native", () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  const own = errorFeedback({
    name: "own",
    wireBytes: ({ rows }) => rows,
    encode: () => new Uint8Array(),
    decode: () => new Float32Array(),
  });
  for (const gradientCodec of [own, "int9"]) {
    assertThrows(
      () => createModel(engine, { ...config, gradientCodec }),
      SchemoeError,
      'gradientCodec must be a native codec such as "int8Blocks", got',
    );
  }
  assertThrows(
    () => createModel(engine, { ...config, gradientCodec: { gather: "int8" } as object }),
    SchemoeError,
    '"gather" is not a field of gradientCodec (reduceScatter, allGather)',
  );
});

Deno.test("createModel() with coded gradients: schedulers change no bit, and all ranks keep the same parameters", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  for (
    const gradientCodec of ["int4", { allGather: "int4" }, {
      reduceScatter: "int4",
      allGather: "mxfp4",
    }]
  ) {
    let first: string | undefined;
    for (const scheduler of byCapacity) {
      using model = createModel(engine, { ...config, gradientCodec, layers: [{ moe }, { moe }] });
      for (let i = 0; i < 3; i++) await model.step(tokens, { scheduler });
      const { loss, gradNorm } = await model.step(tokens, { scheduler });
      // what one group's reduction encodes lies apart from that of others, which may run at the same time
      const names = model.memory().rows.map(({ tensor }) => tensor);
      assertEquals(names.filter((name) => name.startsWith("grad[")), []);
      const got = JSON.stringify([loss, gradNorm, ...await model.read("embedding")]);
      assertEquals(got, first ??= got, scheduler);
    }
  }
});
