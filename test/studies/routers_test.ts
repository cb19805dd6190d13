import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { expertChoice, hashed, openEngine, SchemoeError, topK } from "../../mod.ts";
import { routerOf, signUpdate } from "../../lib/blocks/mod.ts";
import { routerStudy } from "../../lib/studies/mod.ts";

const open = () => openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
const layer = {
  tokens: 64,
  modelDim: 16,
  hiddenDim: 4,
  experts: 8,
  routing: { capacityFactor: 0 },
};
/** All tokens to expert 3. */
const third = routerOf({
  name: "third",
  k: 1,
  route: ({ tokens }) => ({
    choices: new Int32Array(tokens).fill(3),
    weights: new Float32Array(tokens).fill(1),
  }),
  grad: ({ tokens, experts }) => new Float32Array(tokens * experts),
});

Deno.test("routerStudy() counts loads of all ranks, and tokens alike make them more uneven", async () => {
  using engine = open();
  const update = signUpdate({ rate: 0.02 });
  const gates = {
    best: topK({ k: 2 }),
    biased: topK({ k: 2, scores: "sigmoid", update }),
    hash: hashed({ k: 2, vocabulary: 50 }),
    experts: expertChoice({ k: 2 }),
    third,
  };
  const study = await routerStudy(engine, { layer, gates, skews: [0, 2], steps: 40 });
  assertEquals(study.rows.length, 10);
  const of = (router: string) => study.rows.filter((row) => row.router === router);
  for (const { loads, router } of study.rows) {
    const choices = router === "third" ? 128 : 256;
    assertEquals(loads.reduce((a, b) => a + b), choices, router);
  }
  const [even, uneven] = of("best");
  assert(uneven.imbalance > even.imbalance + 0.5 && uneven.importance > even.importance);
  assert(of("biased")[1].imbalance < uneven.imbalance, "the bias has moved");
  assert(of("hash")[1].imbalance > of("hash")[0].imbalance);
  assertEquals(of("experts").map(({ imbalance }) => imbalance), [1, 1]);
  assertEquals(of("third")[0].loads, [0, 0, 0, 128, 0, 0, 0, 0]);
  assertAlmostEquals(of("third")[0].imbalance, 8, 1e-12);
  assert(of("third").every(({ importance }) => Number.isNaN(importance)));
  assertEquals(study.text.split("\n").length, 11);
  const map = await study.loadsSvg();
  // a cell for each expert of each row, and the background of the picture
  assert(map.split("<rect").length >= 80 && map.includes("skew 2"));
  const balance = await study.balanceSvg();
  assert(balance.includes("experts") && !balance.includes("third"));
});

Deno.test("routerStudy() says what it needs", async () => {
  using engine = open();
  using simulator = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const gates = { best: topK({ k: 2 }) };
  const fails = (run: Promise<unknown>, says: string) =>
    assertRejects(() => run, SchemoeError, says);
  await fails(routerStudy(simulator, { layer, gates }), "computes no loads");
  await fails(routerStudy(engine, { layer, gates: {} }), "give gates by name");
  await fails(routerStudy(engine, { layer, gates, skews: [1, -1] }), "of at least 0, got [1, -1]");
});
