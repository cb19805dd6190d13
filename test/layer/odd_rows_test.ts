/** Numbers of rows and of choices that are easily forgotten, against one chunk with a place for every token. */
import { assertEquals } from "@std/assert";
import { createLayer, expertWaves, type LayerConfig, openEngine, swiglu, topK } from "../../mod.ts";
import { peerGroups } from "../../lib/chunking/mod.ts";
import { type PassChoices, randomNormal } from "../../lib/layer/mod.ts";
import { largestError } from "../../lib/studies/golden.ts";

async function results(
  [nodes, ranksPerNode]: readonly [number, number],
  config: LayerConfig,
  choices: PassChoices,
): Promise<Record<string, Float32Array>> {
  using engine = openEngine({ kind: "cpu", nodes, ranksPerNode, links: "plain" });
  using layer = createLayer(engine, config);
  const size = engine.topology.ranks * (config.tokens as number) * config.modelDim;
  const { output } = await layer.forward({ ...choices, x: randomNormal(size, { seed: 5 }) });
  const { gradients } = await layer.backward({ ...choices, dy: randomNormal(size, { seed: 6 }) });
  return { y: output!, ...gradients! };
}

function assertClose(
  got: Record<string, Float32Array>,
  expected: Record<string, Float32Array>,
  bound: number,
  what: string,
) {
  const wrong = Object.keys(expected).filter((name) =>
    !(largestError(got[name], expected[name]) <= bound)
  );
  assertEquals(wrong, [], what);
}

// what a token may choose: more rows, with those without computation, than there are experts
const MANY = {
  ...{ tokens: 6, modelDim: 5, hiddenDim: 3, experts: 4 },
  gate: topK({ k: 7, identities: 4, normalize: false }),
  routing: { capacityFactor: 0 },
};

const COPIES = { name: "copies", experts: 4, slots: [[0, 1], [1, 2], [2, 3], [3, 0]] };

for (const dropless of [false, true]) {
  Deno.test(`tokens with more choices than experts, ${dropless ? "dropless" : "padded"}, split and placed in any way`, async () => {
    const config = { ...MANY, routing: dropless ? { dropless } : MANY.routing };
    const expected = await results([2, 2], MANY, {});
    const ways: [string, Partial<LayerConfig>, PassChoices][] = [
      ["waves", { parallel: { expert: 2 } }, { chunks: expertWaves(2) }],
      ["one wave", {}, { chunks: expertWaves(1) }],
      ["groups of peers", { parallel: { expert: 2 } }, { chunks: peerGroups(2) }],
      ["copies", { placement: COPIES }, { scheduler: "optSche" }],
      ["once a node", {}, { dispatch: "node" }],
    ];
    for (const [what, layer, choices] of ways) {
      assertClose(await results([2, 2], { ...config, ...layer }, choices), expected, 1e-5, what);
    }
  });
}

// numbers of rows and columns that make no whole words of bfloat16; one rank has as many experts as all
for (const dtype of ["float32", "bfloat16"] as const) {
  Deno.test(`odd numbers of rows in ${dtype}, as waves and once a node`, async () => {
    for (const [world, experts] of [[[1, 1], 3], [[2, 2], 4]] as const) {
      for (const tokens of [1, 33]) {
        const config: LayerConfig = {
          ...{ tokens, modelDim: 33, hiddenDim: 3, experts, dtype, expert: swiglu() },
          gate: topK({ k: 3 }),
          routing: { capacityFactor: 0 },
        };
        const expected = await results(world, config, {});
        for (const choices of [{ chunks: expertWaves(1) }, { dispatch: "node" as const }]) {
          // sums of a node are rounded in another order
          const bound = dtype === "float32" ? 1e-5 : 4e-2;
          const what = JSON.stringify({ world, tokens, node: "dispatch" in choices });
          assertClose(await results(world, config, choices), expected, bound, what);
        }
      }
    }
  });
}
