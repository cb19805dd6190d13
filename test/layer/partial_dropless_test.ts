/** Dropless layers whose tokens may have fewer choices than there is room for, against padded ones that drop nothing. */
import { assert, assertEquals } from "@std/assert";
import { createLayer, expertChoice, type LayerConfig, openEngine, topK } from "../../mod.ts";
import { type Gate, importance, reluRouting, routerOf } from "../../lib/blocks/mod.ts";
import { type PassChoices, randomNormal } from "../../lib/layer/mod.ts";
import { largestError } from "../../lib/studies/golden.ts";

const RANKS = 4;
const SIZES = { tokens: 20, modelDim: 6, hiddenDim: 5, experts: 8 };

/** The first choice is as many experts as the token's number says, from none to k. */
const some = routerOf({
  name: "some",
  k: 3,
  route({ tokens, experts, k }) {
    const choices = new Int32Array(tokens * k).fill(-1);
    for (let t = 0; t < tokens; t++) {
      for (let i = 0; i < t % (k + 1); i++) choices[t * k + i] = (t * t + i) % experts;
    }
    return { choices, weights: new Float32Array(tokens * k).fill(0.5) };
  },
  grad: ({ tokens, experts }) => new Float32Array(tokens * experts),
});

/** Nobody goes anywhere. */
const nowhere = routerOf({
  name: "nowhere",
  k: 1,
  route: ({ tokens }) => ({
    choices: new Int32Array(tokens).fill(-1),
    weights: new Float32Array(tokens),
  }),
  grad: ({ tokens, experts }) => new Float32Array(tokens * experts),
});

const GATES: Readonly<Record<string, Gate>> = {
  reluRouting: reluRouting({ k: 2 }),
  "reluRouting, weights on the input": reluRouting({ k: 2, weighs: "input" }),
  "experts without computation": topK({ k: 3, identities: 5, normalize: false }),
  expertChoice: expertChoice({ k: 2 }),
  padding: topK({ k: 2, padding: true }),
  some,
  nowhere,
};

const WAYS = [
  { scheduler: "sequential" },
  { scheduler: "optSche", chunks: 3, allToAll: "pipe" },
  { scheduler: "fasterMoE", chunks: 2, allToAll: "linear" },
  { scheduler: "tutel", chunks: 2, allToAll: "balanced", compressor: "fp16" },
] as const;

for (const [name, gate] of Object.entries(GATES)) {
  Deno.test(`dropless ${name} is the padded layer without drops`, async () => {
    using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
    const size = RANKS * SIZES.tokens * SIZES.modelDim;
    // far from the mean, so that loads are uneven
    const x = randomNormal(size, { seed: 5 }).map((v, i) => v + (i % SIZES.modelDim === 1 ? 1 : 0));
    const dy = randomNormal(size, { seed: 6 });
    const results = async (routing: LayerConfig["routing"], way: PassChoices) => {
      const losses = gate.scores === undefined ? [] : [importance({ weight: 0.5 })];
      using layer = createLayer(engine, { ...SIZES, gate, routing, losses });
      if (gate.padding) {
        const marks = Int32Array.from(
          { length: RANKS * SIZES.tokens },
          (_, t) => Number(t % 3 < 1),
        );
        layer.set({ "gate.padding": marks });
      }
      const { output, loads } = await layer.forward({ x, ...way, results: true });
      const { gradients } = await layer.backward({ dy, ...way, results: true });
      return { loads, all: { output: output!, ...gradients } };
    };
    for (const given of WAYS) {
      // a place alone cannot be split
      const way = name === "nowhere" ? { ...given, chunks: 1 } : given;
      const padded = await results({ capacityFactor: 0 }, way);
      const dropless = await results({ dropless: true }, way);
      assertEquals(dropless.loads, padded.loads);
      // fp16 rounds gradients that are sums of other rows
      const limit = "compressor" in way ? 2e-2 : 1e-5;
      for (const [tensor, values] of Object.entries(padded.all)) {
        const error = largestError(dropless.all[tensor as "output"], values);
        assert(error < limit, `${way.scheduler}: ${tensor} differs by ${error}`);
      }
      const moved = name === "nowhere" ? 0 : 1;
      assertEquals(Number(dropless.all.output.some((y) => y !== 0)), moved);
    }
  });
}

Deno.test("a dropless layer of a partial gate has rows for the choices that there are, not for all experts", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const config = { ...SIZES, tokens: 64, gate: reluRouting({ k: 4 }) };
  using layer = createLayer(engine, { ...config, routing: { dropless: true } });
  const { loads } = await layer.forward({ chunks: 2 });
  const own = Math.max(
    ...[0, 8].map((from) => loads!.subarray(from, from + 8).reduce((a, b) => a + b)),
  );
  const { rows } = layer.memory();
  const sent = rows.find(({ tensor }) => tensor === "forward.sent")!;
  // 64 tokens times 4 expected choices, in eighths
  assert(sent.bytes >= 4 * 6 * own && sent.bytes <= 4 * 6 * (own + 32), `${sent.bytes} for ${own}`);
});
