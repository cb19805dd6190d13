import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { createLayer, openEngine, SchemoeError } from "../../mod.ts";
import { gshard, switchBalance, tokenRounding } from "../../lib/blocks/mod.ts";
import { roundChoices } from "./round_choices.ts";
import { randomNormal } from "../../lib/layer/mod.ts";

const [TOKENS, EXPERTS, K] = [96, 6, 2];

/** Tokens of each expert that have it among their k best. */
function bestTokens(scores: Float32Array): Set<number>[] {
  const chosen = Array.from({ length: EXPERTS }, () => new Set<number>());
  for (let t = 0; t < TOKENS; t++) {
    const own = scores.subarray(t * EXPERTS, (t + 1) * EXPERTS);
    const order = [...own.keys()].sort((a, b) => own[b] - own[a]);
    for (const e of order.slice(0, K)) chosen[e].add(t);
  }
  return chosen;
}

Deno.test("roundChoices() gives whole tiles, less than a tile from the k best, best scores first", () => {
  for (const [seed, tile] of [[1, 16], [2, 8], [3, 1], [4, 96], [5, 7]]) {
    const scores = randomNormal(TOKENS * EXPERTS, { seed }).map((v, i) => v + i % EXPERTS / 3);
    const sizes = { tokens: TOKENS, experts: EXPERTS, k: K, tile };
    const choices = roundChoices(sizes, { scores, logits: scores });
    for (const [e, best] of bestTokens(scores).entries()) {
      const got = new Set<number>();
      for (let t = 0; t < TOKENS; t++) {
        const choice = choices[t * EXPERTS + e];
        assert(choice === -1 || choice === e);
        if (choice === e) got.add(t);
      }
      assertEquals(got.size % tile, 0);
      assert(Math.abs(got.size - best.size) <= tile / 2, `${got.size} of ${best.size}`);
      const score = (t: number) => scores[t * EXPERTS + e];
      const least = Math.min(...[...got].map(score));
      if (got.size <= best.size) {
        // all were chosen, and those that had to go score less
        assert(got.isSubsetOf(best));
        for (const t of best.difference(got)) assert(score(t) <= least);
      } else {
        assert(best.isSubsetOf(got));
        const added = [...got.difference(best)].map(score);
        for (let t = 0; t < TOKENS; t++) if (!got.has(t)) assert(score(t) <= Math.min(...added));
      }
    }
  }
});

Deno.test("roundChoices() takes the lower token of equal scores, and NaN before everything", () => {
  const sizes = { tokens: 4, experts: 1, k: 1, tile: 3 };
  const equal = new Float32Array(4).fill(0.5);
  assertEquals([...roundChoices(sizes, { scores: equal, logits: equal })], [0, 0, 0, -1]);
  const scores = Float32Array.from([0.5, 0.5, 0.9, NaN]);
  assertEquals([...roundChoices(sizes, { scores, logits: scores })], [0, -1, 0, 0]);
});

Deno.test("tokenRounding() leaves no tile of a rank partly empty, and says when there are too few tokens", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const config = { tokens: 40, modelDim: 6, hiddenDim: 5, experts: 4, routing: { dropless: true } };
  using layer = createLayer(engine, { ...config, gate: tokenRounding({ k: 2, tile: 8 }) });
  const { loads } = await layer.forward({ chunks: 2 });
  assert(loads!.every((load) => load % 8 === 0) && loads!.some((load) => load !== loads![0]));
  const gate = tokenRounding({ k: 2, tile: 64 });
  assertThrows(
    () => createLayer(engine, { ...config, gate }),
    SchemoeError,
    "more than the 40 tokens",
  );
});

Deno.test("tokenRounding() counts choices in balance losses by its k, and orders none", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const config = { tokens: 40, modelDim: 6, hiddenDim: 5, experts: 4, routing: { dropless: true } };
  const gate = tokenRounding({ k: 2, tile: 8 });
  using layer = createLayer(engine, { ...config, gate, losses: [switchBalance({ weight: 1 })] });
  // all probabilities are a quarter, and the first two experts have all tokens
  layer.set({ "gate.weight": new Float32Array(4 * 6) });
  const { loads, losses } = await layer.forward();
  assertEquals([...loads!], [40, 40, 0, 0, 40, 40, 0, 0]);
  for (const loss of losses!.switch) assertAlmostEquals(loss, 1, 1e-6);
  assertThrows(
    () => createLayer(engine, { ...config, gate, losses: [gshard({ weight: 1 })] }),
    SchemoeError,
    "counts first choices, which the gate tokenRounding does not order",
  );
});

/** Choices of each token, sorted, in rounded tiles, as the layer made them and as plain loops do. */
async function bothRoundings(weight: Float32Array, tile: number) {
  const [tokens, modelDim, experts, k] = [40, 6, 4, 2];
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
  const gate = tokenRounding({ k, tile, scores: "sigmoid" });
  const routing = { dropless: true };
  using layer = createLayer(engine, { tokens, modelDim, hiddenDim: 5, experts, gate, routing });
  const x = randomNormal(tokens * modelDim, { seed: tile });
  layer.set({ "gate.weight": weight });
  const { routing: trace } = await layer.forward({ x, results: true });
  const logits = new Float32Array(tokens * experts);
  for (let i = 0; i < logits.length; i++) {
    for (let j = 0; j < modelDim; j++) {
      logits[i] += x[Math.floor(i / experts) * modelDim + j] * weight[i % experts * modelDim + j];
    }
  }
  const scores = logits.map((z) => 1 / (1 + Math.exp(-z)));
  const expected = roundChoices({ tokens, experts, k, tile }, { scores, logits });
  const ofToken = (choices: ArrayLike<number>) =>
    Array.from(
      { length: tokens },
      (_, t) =>
        Array.from(choices).slice(t * experts, (t + 1) * experts).filter((e) => e >= 0).sort(),
    );
  return [ofToken(trace!.choices(0)), ofToken(expected)];
}

Deno.test("tokenRounding() chooses what plain loops choose, for every tile and for equal scores", async () => {
  for (const tile of [1, 3, 8, 16, 40]) {
    const [got, expected] = await bothRoundings(randomNormal(24, { seed: 9 }), tile);
    assertEquals(got, expected, `tiles of ${tile}`);
  }
  const [got, expected] = await bothRoundings(new Float32Array(24), 16);
  assertEquals(got, expected);
});
