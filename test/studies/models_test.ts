import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { SchemoeError } from "../../mod.ts";
import { model, MODEL_NAMES, simulateModels } from "../../lib/studies/models/mod.ts";

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

Deno.test("model() and simulateModels() name what is wrong", async () => {
  assertThrows(() => model("mixtral"), SchemoeError, 'Unknown model "mixtral": choose one of');
  await assertRejects(
    () => simulateModels({ ranks: [12] }),
    SchemoeError,
    "multiples of 8, got 12",
  );
});
