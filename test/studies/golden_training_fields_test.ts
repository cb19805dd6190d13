import { assert, assertEquals, assertLess, assertRejects, assertThrows } from "@std/assert";
import { createModel, type Expert, openEngine, SchemoeError, swiglu } from "../../mod.ts";
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
  assertEquals((expert as Expert).name, swiglu().name);
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

const tokenGate = {
  ...{ scores: "softmax", bias: false, selectionBias: false, groups: 1, groupLimit: 1 },
  ...{ normalize: true, scale: 1, weighs: "output", hash: false, choice: "token" },
  ...{ zeroExperts: 0, noise: false, cosine: false },
};

Deno.test("a reference run's tables and selection biases are those of its file", async () => {
  const [vocabulary, experts, k] = [81, 4, 2];
  const table = Int32Array.from({ length: vocabulary * k }, (_, i) => i % k);
  const hashed = (tensors: Map<string, Tensor>) => {
    for (const block of [0, 1]) {
      const shape = [vocabulary, k];
      tensors.set(`blocks.${block}.moe.gate.table`, { dtype: "I32", shape, data: table } as Tensor);
    }
  };
  const loadsOf = async (golden: GoldenTraining) => {
    using engine = open(2);
    return (await runGoldenTraining(engine, golden, { steps: 1 })).steps[0].layerLoads![0];
  };
  const gate = { ...tokenGate, hash: true };
  const all = 4 * 32; // tokens of a rank
  assertEquals([...await loadsOf(changed("tiny", { gate }, hashed))], [
    all,
    all,
    0,
    0,
    all,
    all,
    0,
    0,
  ]);
  assertThrows(() => changed("tiny", { gate }), SchemoeError, "gate.table");

  const bias = Float32Array.of(0, 0, 9, 9);
  const biased = changed("tiny", { gate: { ...tokenGate, selectionBias: true } }, (tensors) => {
    for (const block of [0, 1]) {
      const name = `blocks.${block}.moe.gate.selectionBias`;
      tensors.set(name, { dtype: "F32", shape: [experts], data: bias } as Tensor);
      tensors.set(`final.${name}`, { dtype: "F32", shape: [experts], data: bias } as Tensor);
    }
  });
  assertEquals([...await loadsOf(biased)], [0, 0, all, all, 0, 0, all, all]);
  using engine = open(2);
  const { errors } = await checkTraining(engine, { ...biased, steps: 1 }, {});
  assertEquals(errors["final.blocks.1.moe.gate.selectionBias"], 0);
});

Deno.test("a reference run has latent rows and cosine gates of its file, and no noise", () => {
  const gate = { ...tokenGate, cosine: true };
  const golden = changed("tiny", { gate, latentDim: 7 }, (tensors) => {
    const name = "blocks.0.moe.gate.projection";
    tensors.set(name, { dtype: "F32", shape: [32, 3], data: new Float32Array(96) } as Tensor);
  });
  using engine = open(2);
  using model = createModel(engine, golden.model);
  assertEquals(model.parameters["blocks.0.moe.gate.projection"], [32, 3]);
  assertEquals(model.parameters["blocks.0.moe.latent.down"], [32, 7]);
  const noise = { ...tokenGate, noise: true };
  assertThrows(() => changed("tiny", { gate: noise }), SchemoeError, '"gate.noise" is true');
});

Deno.test("fields of reference runs that hold what no run has are named with their value", () => {
  const { optimizer, schedule } = JSON.parse(
    parseSafetensors(Deno.readFileSync(new URL("tiny.safetensors", FOLDER)), "tiny").metadata!
      .config,
  );
  const wrong: [object, string][] = [
    [{ clip: null }, '"clip" is null, not a non-negative number'],
    [{ tied: "no" }, '"tied" is "no", not true or false'],
    [{ positions: "rope", ropeBase: 0 }, '"ropeBase" is 0, not a positive number'],
    [{ optimizer: { ...optimizer, betas: [0.9] } }, '"optimizer.betas" is [0.9]'],
    [{ optimizer: { kind: "sgd" } }, '"optimizer.momentum" is undefined'],
    [{ schedule: { ...schedule, warmup: -1 } }, '"schedule.warmup" is -1'],
    [{ schedule: { ...schedule, final: "x" } }, '"schedule.final" is "x"'],
    [{ latentDim: 0 }, '"latentDim" is 0, not a positive integer'],
    [{ gate: { ...tokenGate, groups: "2" } }, '"gate.groups" is "2", not a positive integer'],
    [{ gate: [] }, '"gate" is [], not an object'],
    [{ losses: null }, '"losses" is null, not a list'],
    [{ losses: [{ name: "z" }] }, '"losses.0.weight" is undefined, not a finite number'],
    [{ updates: [{ name: "sign" }] }, '"updates.0.rate" is undefined, not a finite number'],
    [{ shared: { hiddenDim: 3, kind: "moe" } }, '"shared.kind" is "moe", not swiglu or ffn'],
  ];
  for (const [fields, message] of wrong) {
    assertThrows(() => changed("tiny", fields), SchemoeError, message);
  }
});
