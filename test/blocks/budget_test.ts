import { assert, assertAlmostEquals, assertThrows } from "@std/assert";
import { createLayer, openEngine, SchemoeError, topK } from "../../mod.ts";
import { budgetUpdate } from "../../lib/blocks/mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";

const [TOKENS, MODEL, EXPERTS, IDENTITIES, K] = [60, 8, 6, 3, 4];
const CONFIG = { tokens: TOKENS, modelDim: MODEL, hiddenDim: 4, experts: EXPERTS };
const ROUTING = { dropless: true } as const;

const gateOf = (rate: number, active: number) =>
  topK({ k: K, identities: IDENTITIES, normalize: false, update: budgetUpdate({ rate, active }) });

Deno.test("budgetUpdate() shifts each bias by what the expert lacks, and none without computation", async () => {
  for (const ranks of [1, 2]) {
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: ranks, links: "plain" });
    using layer = createLayer(engine, { ...CONFIG, gate: gateOf(0.3, 3), routing: ROUTING });
    layer.set({ x: randomNormal(ranks * TOKENS * MODEL, { seed: 2 }) });
    const { loads } = await layer.forward();
    await layer.backward();
    const bias = layer.get("gate.selectionBias");
    const rows = EXPERTS + IDENTITIES;
    for (let e = 0; e < rows; e++) {
      let load = 0;
      for (let rank = 0; rank < ranks; rank++) load += loads![rank * rows + e];
      const step = 0.3 * (3 / (K * EXPERTS) - load / (K * ranks * TOKENS));
      assertAlmostEquals(bias[e], e < EXPERTS ? step : 0, 1e-7);
    }
  }
});

Deno.test("budgetUpdate() brings the experts with computation to their mean number, each to its share", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, { ...CONFIG, gate: gateOf(0.2, 2.5), routing: ROUTING });
  layer.set({ x: randomNormal(2 * TOKENS * MODEL, { seed: 3 }) });
  const loadsOf = async () => {
    const { loads } = await layer.forward();
    const rows = EXPERTS + IDENTITIES;
    return Array.from({ length: EXPERTS }, (_, e) => loads![e] + loads![rows + e]);
  };
  const mean = (loads: number[]) => loads.reduce((a, b) => a + b) / (2 * TOKENS);
  const before = await loadsOf();
  for (let step = 0; step < 300; step++) {
    await layer.forward();
    await layer.backward();
  }
  const after = await loadsOf();
  assert(Math.abs(mean(before) - 2.5) > 0.1, `began with ${mean(before)}`);
  assert(Math.abs(mean(after) - 2.5) < 0.05, `ended with ${mean(after)}`);
  const share = 2.5 * 2 * TOKENS / EXPERTS;
  assert(
    after.every((load) => Math.abs(load - share) <= 0.1 * share),
    `loads ${after} of ${share}`,
  );
});

Deno.test("budgetUpdate() names what cannot be", async () => {
  assertThrows(
    () => budgetUpdate({ rate: NaN, active: 2 }),
    SchemoeError,
    "rate must be a finite number",
  );
  assertThrows(
    () => budgetUpdate({ rate: 1, active: -1 }),
    SchemoeError,
    "active must be a number of experts",
  );
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
  using layer = createLayer(engine, { ...CONFIG, gate: gateOf(1, 5), routing: ROUTING });
  await layer.forward();
  let message = "";
  await layer.backward().catch((error) => message = error.message);
  assert(message.includes("active 5 is more than the 4 choices of a token"), message);
});
