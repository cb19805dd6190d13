import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { createLayer, openEngine, SchemoeError, testbed, topK } from "../../mod.ts";
import { fasterMoeChoice } from "../../lib/adaptive/mod.ts";
import { fasterMoeShadows, identityPlacement } from "../../lib/placements/mod.ts";
import { loadsOf, zipfRouting } from "../../lib/routing/mod.ts";

Deno.test("fasterMoeShadows() copies the experts that its model of a step gains by, the fullest first", () => {
  // expert 0 has 18 tokens, expert 1 has 2: without copies 3 * 18 + 4 * 9 = 90
  const loads = { ranks: 2, experts: 2, table: Int32Array.of(9, 1, 9, 1) };
  // one copy: 3 * max(9, 11) + 4 * 1 + 2 * weights; two: 3 * 10 + 0 + 4 * weights
  const slots = (weights: number) =>
    fasterMoeShadows(loads, { token: 1, send: 1, weights }).slots.map((list) => list.join());
  assertEquals(slots(27), ["0", "1"]);
  assertEquals(slots(26), ["0", "0,1"]);
  assertEquals(slots(4), ["0", "0,1"]);
  assertEquals(slots(3), ["0,1", "0,1"]);
  const even = { ranks: 4, experts: 8, table: new Int32Array(32).fill(3) };
  const costly = fasterMoeShadows(even, { token: 1, send: 0, weights: 1 });
  assertEquals(costly.slots, identityPlacement(8, 4).slots);
  assertThrows(
    () => fasterMoeShadows(even, { token: NaN, send: 0, weights: 1 }),
    SchemoeError,
    "token must be seconds of at least 0",
  );
});

Deno.test("fasterMoeChoice() is faster than no shadows where popular experts are small, and copies none where they are large", async () => {
  const { topology } = testbed("h100-ib400", { nodes: 2 });
  using engine = openEngine({ kind: "simulate", topology });
  const loads = loadsOf(
    zipfRouting({ ranks: 16, tokens: 4096, experts: 16, topK: 2, exponent: 1.2 }),
  );
  const config = {
    tokens: 4096,
    modelDim: 512,
    hiddenDim: 512,
    experts: 16,
    gate: topK({ k: 2 }),
    routing: { dropless: true },
  };
  const { layer } = createLayer(engine, config);
  const { placement, forward, trials } = fasterMoeChoice(layer, loads);
  assertEquals([forward.scheduler, forward.chunks, trials.length], ["fasterMoE", 4, 0]);
  assert(placement.slots.flat().length > 16);
  const step = async (given: object) => {
    const made = createLayer(engine, { ...config, ...given });
    const there = await made.forward({ ...forward, loads });
    return there.makespan + (await made.backward(forward)).makespan;
  };
  assertLess(await step({ placement }), await step({}));
  const large = createLayer(engine, { ...config, tokens: 8, hiddenDim: 1 << 16 }).layer;
  const few = loadsOf(zipfRouting({ ranks: 16, tokens: 8, experts: 16, topK: 2, exponent: 0 }));
  assertEquals(fasterMoeChoice(large, few).placement.slots.flat().length, 16);
});
