import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createLayer, openEngine, SchemoeError, testbed } from "../../mod.ts";
import { hashTable } from "../../lib/blocks/mod.ts";
import {
  type Model,
  model,
  MODEL_NAMES,
  modelTable,
  simulateModels,
} from "../../lib/studies/models/mod.ts";

Deno.test("simulateModels() has the times and memory that follow by hand for DeepSeek-V3 and Mixtral", async () => {
  const { topology: { links, processor } } = testbed("h200-ib400", { nodes: 8 });
  const [deep] = await simulateModels({ models: ["deepseek-v3"], ranks: [64] });
  // 128 places of 256 experts for each rank, 7168 values of 2 bytes; 56 of 64 ranks are on other nodes, in 4 chunks
  const rows = 256 * 128;
  const exchange = rows * 7168 * 2 * 56 / 64 * links.inter.beta + 4 * 56 * links.inter.alpha;
  const work = rows * 6 * 7168 * 2048 / processor.flopRate;
  const forward = 1e3 * 2 * exchange;
  assert(deep.forwardMs > forward && deep.forwardMs < 1.03 * forward, `${deep.forwardMs}`);
  // experts hide the exchanges while they compute, three times as long over both passes; an eighth more is shared
  assert(Math.abs(deep.hidden - 3 * work * 1.125 / (4 * exchange)) < 0.06, `${deep.hidden}`);
  const bytes = 2 * (3 * 4 * 7168 * 2048 * 2) + 8 * rows * 7168 * 2;
  assert(deep.memoryGB > bytes / 1e9 && deep.memoryGB < 6, `${deep.memoryGB}`);

  const [mixtral] = await simulateModels({ models: ["mixtral-8x7b"], ranks: [512] });
  // gradients of an expert over 64 copies, in two levels of 8: out and back, all but a copy's own part
  const gradients = 3 * 4096 * 14336 * 2;
  const reduction = 2 * gradients * 63 / 64 * links.inter.beta;
  const starts = 2 * 3 * (7 + 7) * links.inter.alpha;
  assert(Math.abs(mixtral.reductionMs / (1e3 * (reduction + starts)) - 1) < 0.03);
  const products = 1e3 * 8 * 1024 * 6 * 4096 * 14336 / processor.flopRate;
  assert(mixtral.forwardMs > products && mixtral.forwardMs < 1.1 * products);
  assert(mixtral.memoryGB > (2 * gradients + 5 * 8192 * 14336 * 2) / 1e9 && mixtral.memoryGB < 3);
  assertEquals(mixtral.groups, "Megatron-Core's recipe: 8 ranks");
});

Deno.test("simulateModels() takes every model in its groups at 8 to 4,096 ranks", async () => {
  const rows = await simulateModels({ ranks: [8, 64, 4096], tokens: 2048 });
  assertEquals(rows.length, 3 * MODEL_NAMES.length);
  for (const row of rows) {
    const { expertParallel } = model(row.model);
    assertEquals(row.expertParallel, Math.min(expertParallel, row.ranks));
    assertEquals(row.copies * row.expertParallel, row.ranks);
    assert(row.overBound >= 1 - 1e-9 && row.hidden >= 0 && row.hidden <= 1);
    assertEquals(row.reductionMs > 0, row.copies > 1);
  }
  const forward = (name: string) =>
    rows.filter((row) => row.model === name).map(({ forwardMs }) => forwardMs);
  const [node, , many] = forward("mixtral-8x7b");
  assert(Math.abs(many / node - 1) < 1e-9, "a group inside a node does not see the world");
  const [one, all] = forward("deepseek-v3");
  assert(one < all, "a group over 8 nodes uses the network");
});

const RANKS = 2;
const TOKENS = 24;

/** Numbers of tokens and a table where the gate asks for them; the same on all ranks where they have one shape. */
function tables({ router: { hash }, experts, topK: k }: Model): Record<string, Int32Array> {
  const { vocabulary } = hash!;
  return {
    "gate.table": hashTable({ vocabulary, experts, k }),
    "gate.tokenIds": Int32Array.from({ length: RANKS * TOKENS }, (_, i) => i * 37 % vocabulary),
  };
}

for (const name of MODEL_NAMES) {
  Deno.test(`model("${name}") scaled runs forward and backward on the CPU engine`, async () => {
    const small = model(name).scaledTo(1 / 256);
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: RANKS, links: "plain" });
    const numbers = small.router.hash ? [0, small.layers - 1] : [small.layers - 1];
    for (const number of numbers) {
      using layer = createLayer(engine, small.layer({ tokens: TOKENS, number }));
      const hashed = number < (small.router.hash?.layers ?? 0);
      if (hashed) layer.set(tables(small));
      const { output, loads, losses } = await layer.forward({ chunks: 2, scheduler: "optSche" });
      assert(output!.every(Number.isFinite) && output!.some((y) => y !== 0));
      // each token made as many choices as the model says
      assertEquals(loads!.reduce((a, b) => a + b), RANKS * TOKENS * small.topK);
      const names = Object.keys(small.losses).map((loss) => loss);
      assertEquals(Object.keys(losses!).toSorted(), names.toSorted());
      const { gradients } = await layer.backward({ chunks: 2, scheduler: "optSche" });
      for (const [tensor, values] of Object.entries(gradients!)) {
        assert(values.every(Number.isFinite), tensor);
        assert(values.some((v) => v !== 0), `${name} ${tensor} is 0`);
      }
      const moved = !hashed && small.router.biasRate !== undefined;
      if (moved) assert(layer.get("gate.selectionBias").some((bias) => bias !== 0));
    }
  });
}

Deno.test("scaledTo() keeps what a model is and fits choices and groups to fewer experts", () => {
  const v3 = model("deepseek-v3");
  const same = v3.scaledTo(1);
  assertEquals([same.modelDim, same.experts, same.topK, same.router], [7168, 256, 8, v3.router]);
  const small = v3.scaledTo(1 / 32);
  assertEquals([small.modelDim, small.hiddenDim, small.experts, small.topK], [224, 64, 8, 2]);
  assertEquals([small.router.groups, small.router.groupLimit, small.router.scale], [4, 2, 2.5]);
  assertEquals(small.shared, { hiddenDim: 64 });
  const given = v3.scaledTo({ modelDim: 64, experts: 12, topK: 4 });
  assertEquals([given.hiddenDim, given.router.groups, given.router.groupLimit], [2048, 6, 3]);
  assertEquals(model("longcat-flash").scaledTo(1 / 16).router.identities, 16);
  assertEquals(model("deepseek-v4-flash").scaledTo(1 / 16).router.hash?.vocabulary, 8080);
  for (const name of MODEL_NAMES) {
    for (const fraction of [2, 1 / 3, 1 / 7, 1 / 100, 1e-6]) {
      const { experts, topK, router } = model(name).scaledTo(fraction);
      const { groups = 1, groupLimit = groups } = router;
      assert(topK <= experts && experts % groups === 0, `${name} ${fraction}`);
      assert(groupLimit <= groups && groupLimit * experts / groups >= topK, `${name} ${fraction}`);
    }
  }
});

Deno.test("modelTable() is the table of the documentation", () => {
  const file = new URL("../../lib/studies/models/README.md", import.meta.url);
  const cells = (text: string) =>
    text.split("\n").filter((line) => line.startsWith("|"))
      .map((line) => line.split("|").map((cell) => cell.trim().replace(/^-+$/, "---")).join("|"));
  assertEquals(cells(Deno.readTextFileSync(file)), cells(modelTable()));
});

Deno.test("models name what is wrong", async () => {
  assertThrows(() => model("mixtral"), SchemoeError, 'Unknown model "mixtral": choose one of');
  assertThrows(() => model("deepseek-3"), SchemoeError, 'did you mean "deepseek-v3"?');
  const v3 = model("deepseek-v3");
  assertThrows(() => v3.scaledTo(0), SchemoeError, "must be a positive number, got 0");
  assertThrows(() => v3.scaledTo({ experts: 4, topK: 5 }), SchemoeError, "more than the 4 experts");
  const wrong = { modelDims: 4 } as Record<string, number>;
  assertThrows(() => v3.scaledTo(wrong), SchemoeError, 'did you mean "modelDim"?');
  assertThrows(() => v3.layer({ tokens: 8, number: 58 }), SchemoeError, "are 0 to 57, got 58");
  await assertRejects(
    () => simulateModels({ ranks: [12] }),
    SchemoeError,
    "multiples of 8, got 12",
  );
});
