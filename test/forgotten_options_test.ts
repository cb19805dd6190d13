/** Values whose options were forgotten say which one is needed, where JavaScript would only say that it is undefined. */
import { assert, assertRejects, assertThrows } from "@std/assert";
import { createModel, ffn, openEngine, SchemoeError } from "../mod.ts";
import * as blocks from "../lib/blocks/mod.ts";
import * as placements from "../lib/placements/mod.ts";
import * as routing from "../lib/routing/mod.ts";
import * as training from "../lib/training/mod.ts";

/** What each cannot do without. */
const NEEDED: Readonly<Record<string, string>> = {
  ...{ gshard: "weight", switchBalance: "weight", globalBatch: "weight", sequence: "weight" },
  ...{ z: "weight", importance: "weight", load: "weight", orthogonal: "weight" },
  ...{ signUpdate: "rate", quantileUpdate: "ema", budgetUpdate: "rate", cosineRate: "peak" },
  ...{ hashed: "vocabulary", hashTable: "vocabulary", randomTokens: "vocabulary" },
  ...{ cosineTopK: "width", cosineLogits: "width", replayed: "trace" },
  ...{ uniformRouting: "ranks", zipfRouting: "ranks", driftingRouting: "ranks" },
  ...{ correlatedRouting: "ranks" },
};

const makers = { ...blocks, ...routing, ...training } as unknown as Readonly<
  Record<string, (options?: unknown) => unknown>
>;

for (const [name, option] of Object.entries(NEEDED)) {
  Deno.test(`${name}() without options asks for ${option}`, () => {
    assert(typeof makers[name] === "function");
    for (const given of [undefined, null, {}, 3, "x"]) {
      const { message } = assertThrows(() => makers[name](given), SchemoeError);
      assert(message.includes(option), message);
    }
  });
}

Deno.test("routings and rates of numbers that are none name them", () => {
  const sizes = { ranks: 2, tokens: 4, topK: 1, exponent: 1, step: 1, period: 2 };
  for (const name of ["uniformRouting", "zipfRouting", "driftingRouting"]) {
    for (const experts of [-1, 0.5, NaN, "4", Infinity]) {
      assertThrows(() => makers[name]({ ...sizes, experts }), SchemoeError, "experts must be");
    }
  }
  for (const wrong of [{ peak: "x" }, { warmup: NaN }, { steps: null }, { final: {} }]) {
    const [field] = Object.keys(wrong);
    const rate = () => makers.cosineRate({ peak: 1, steps: 9, ...wrong });
    assertThrows(rate, SchemoeError, `${field} must be a number`);
  }
});

Deno.test("placements and trainings without their options ask for them", async () => {
  const loads = routing.loadsOf(
    routing.zipfRouting({ ranks: 4, tokens: 8, experts: 8, exponent: 1 }),
  );
  const eplb = (world: unknown, options?: unknown) => () =>
    placements.eplb(loads, world as never, options as never);
  const world = { nodes: 2, ranksPerNode: 2 };
  assertThrows(eplb(undefined), SchemoeError, "nodes must be a positive integer, got undefined");
  assertThrows(eplb(world), SchemoeError, "slotsPerRank must be a positive integer");
  assertThrows(eplb(world, { slotsPerRank: 2.5 }), SchemoeError, "got 2.5");
  assertThrows(eplb(world, { slotsPerRank: 1 }), SchemoeError, "1 slots a rank hold fewer than");
  for (const bytes of [undefined, { token: 1 }, { token: 1, expert: NaN }]) {
    const shadowed = () => placements.shadowed(loads, bytes as never);
    assertThrows(shadowed, SchemoeError, "expert must be a number of bytes");
  }
  const none = () => training.compareTraining(() => fail(), undefined as never);
  await assertRejects(none, SchemoeError, "runs must be");

  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1 });
  const sizes = { vocabulary: 9, context: 4, batch: 1, modelDim: 4, attention: { heads: 1 } };
  using model = createModel(engine, {
    ...sizes,
    layers: [{ ffn: { hiddenDim: 4, expert: ffn() } }],
  });
  const data = training.randomTokens({ vocabulary: 9 });
  for (const checkpoint of [{ path: "a" }, "", 5]) {
    const run = () => training.train(model, { data, steps: 1, checkpoint: checkpoint as string });
    await assertRejects(run, SchemoeError, "checkpoint must be the path of a file, got");
  }
  const floats = new Float32Array(5000) as unknown as Int32Array;
  const { message } = await assertRejects(() => model.step(floats), SchemoeError);
  assert(message.endsWith("got a Float32Array of 5000"), message.slice(0, 200));
});

const fail = (): never => {
  throw new Error("no model is needed");
};
