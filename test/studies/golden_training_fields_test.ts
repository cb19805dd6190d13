import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { openEngine, SchemoeError, swiglu } from "../../mod.ts";
import { constantRate } from "../../lib/blocks/mod.ts";
import { encodeSafetensors, parseSafetensors, type Tensor } from "../../lib/files/mod.ts";
import {
  type GoldenTraining,
  parseGoldenTraining,
  runGoldenTraining,
} from "../../lib/studies/golden_training.ts";
import { checkTraining, trainingBound } from "../../lib/tasks/verify/training_case.ts";

const FOLDER = new URL("../golden/training/", import.meta.url);

/** A reference run with other fields and tensors. */
function changed(
  name: string,
  fields: object,
  change: (tensors: Map<string, Tensor>) => void = () => {},
): GoldenTraining {
  const bytes = Deno.readFileSync(new URL(`${name}.safetensors`, FOLDER));
  const { tensors, metadata } = parseSafetensors(bytes, name);
  const config = JSON.stringify({ ...JSON.parse(metadata!.config), ...fields });
  change(tensors as Map<string, Tensor>);
  return parseGoldenTraining(encodeSafetensors(tensors, { config }), name);
}

const open = (ranks: number) =>
  openEngine({ kind: "cpu", nodes: 1, ranksPerNode: ranks, links: "plain" });

Deno.test("a reference run's experts need not be divided by its ranks", async () => {
  // three ranks with the same tokens: losses and gradients, which are means over ranks, stay
  const golden = changed("sgd", { ranks: 3 }, (tensors) => {
    const { shape: [steps, , ...sizes], data, dtype } = tensors.get("tokens")!;
    const all = data as Int32Array;
    const size = all.length / steps;
    const repeated = new Int32Array(3 * all.length);
    for (let place = 0; place < 3 * steps; place++) {
      const step = Math.floor(place / 3);
      repeated.set(all.subarray(step * size, (step + 1) * size), place * size);
    }
    tensors.set("tokens", { dtype, shape: [steps, 3, ...sizes], data: repeated } as Tensor);
  });
  using engine = open(3);
  const { errors } = await checkTraining(engine, golden, { scheduler: "optSche" });
  for (const [tensor, error] of Object.entries(errors)) {
    assert(error <= trainingBound(tensor, { engine: "cpu", optimizer: "sgd" }), tensor);
  }
});

Deno.test("a reference run's optimizer.decayed says what decays", async () => {
  const { optimizer } = JSON.parse(
    parseSafetensors(Deno.readFileSync(new URL("tiny.safetensors", FOLDER)), "tiny").metadata!
      .config,
  );
  const run = async (golden: GoldenTraining) => {
    using engine = open(2);
    return (await runGoldenTraining(engine, golden, { steps: 3 })).final;
  };
  const none = await run(changed("tiny", { optimizer: { ...optimizer, decayed: [] } }));
  const without = await run(changed("tiny", { optimizer: { ...optimizer, weightDecay: 0 } }));
  assertEquals(none, without);
  const norm = await run(changed("tiny", { optimizer: { ...optimizer, decayed: ["norm"] } }));
  const matrices = await run(changed("tiny", {}));
  assertEquals(matrices.norm.length, 32);
  assert(norm.norm.every((value, i) => value !== none.norm[i]), "norms decay when they are named");
  assert(matrices.head.some((value, i) => value !== norm.head[i]), "the head does not then");
});

Deno.test("a reference run without experts has no sizes of them", () => {
  const golden = changed("rope-swiglu-gqa", { blocks: ["ffn"], experts: 0, topK: 0, hiddenDim: 0 });
  assertEquals(golden.model.layers.length, 1);
});

Deno.test("fields of layer cases are read in reference runs too", () => {
  const golden = changed("tiny", {
    ...{ expert: "swiglu", activation: "silu", prescore: true, batchPrioritized: true },
    ...{ capacityFactor: -1.5, capacityAlignment: 4 },
  });
  const [block] = golden.model.layers;
  assert("moe" in block);
  const { expert, routing } = block.moe;
  assertEquals(expert?.name, swiglu().name);
  assertEquals(routing, { capacityFactor: -1.5, capacityAlignment: 4, priority: "scores" });
  assertEquals((block.moe.gate as { weighs: string }).weighs, "input");
});

Deno.test("a reference run may end in its warm-up, and may have a rate of 0", async () => {
  const schedule = { peak: 0.5, warmup: 20, decaySteps: 10, final: 0.1 };
  const { rate } = changed("sgd", { schedule }).model;
  assertEquals(typeof rate === "object" ? [rate.at(0), rate.at(9)] : [], [0.025, 0.25]);
  const golden = changed("sgd", {});
  using engine = open(1);
  const still = { ...golden, steps: 2, rates: new Float64Array(2) };
  const model = { ...golden.model, rate: constantRate(0) };
  const { errors } = await checkTraining(engine, { ...still, model }, {});
  assertEquals(errors.lr, 0);
  const { errors: wrong } = await checkTraining(engine, still, {});
  assertLess(0.01, wrong.lr);
});

Deno.test("runGoldenTraining() names a parameter that the file leaves out", async () => {
  const golden = changed("sgd", {}, (tensors) => {
    for (const name of ["positions", "grad.positions", "final.positions"]) tensors.delete(name);
  });
  using engine = open(1);
  const says = 'its file has no tensor "grad.positions"';
  await assertRejects(() => runGoldenTraining(engine, golden), SchemoeError, says);
});
