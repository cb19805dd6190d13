import { assertLess } from "@std/assert";
import { createLayer, ffn, openEngine, topK } from "../../mod.ts";
import { gshard, type LayerConfig, type UnevenLayerConfig } from "../../lib/blocks/mod.ts";
import { BUILT_IN } from "../../lib/layer/built_in.ts";
import { largestError } from "../../lib/studies/golden.ts";
import { uniforms } from "../../lib/random.ts";
import { reference } from "../layer/reference.ts";

const AUX = 0.1;
const WORLDS = 40;

/** A layer whose world, groups, placement, tokens and choices are drawn. */
function drawn(seed: number) {
  const uniform = uniforms(seed);
  const int = (from: number, to: number) => from + Math.floor(uniform() * (to - from + 1));
  const pick = <T>(list: readonly T[]): T => list[int(0, list.length - 1)];
  const [nodes, ranksPerNode] = [int(1, 3), int(1, 4)];
  const ranks = nodes * ranksPerNode;
  const sizes = Array.from({ length: ranks }, (_, i) => i + 1).filter((size) => ranks % size === 0);
  const expert = pick(sizes);
  const experts = expert * int(1, 3);
  const slots = Array.from({ length: expert }, () => new Set<number>());
  for (let e = 0; e < experts; e++) {
    for (let copy = int(1, 3); copy > 0; copy--) slots[int(0, expert - 1)].add(e);
  }
  const tokens = Array.from({ length: ranks }, () => uniform() < 0.3 ? 0 : int(1, 12));
  // a rank with tokens, and one capacity for as many chunks
  tokens[int(0, ranks - 1)] = 12;
  const values = (count: number, scale: number) =>
    Float32Array.from({ length: count }, () => scale * (2 * uniform() - 1));
  return {
    ...{ nodes, ranksPerNode, experts, tokens, values },
    ...{ modelDim: 4 * int(1, 3), hiddenDim: 4 * int(1, 3), topK: int(1, Math.min(3, experts)) },
    dropless: uniform() < 0.5,
    normalize: uniform() < 0.5,
    parallel: { expert, layout: pick(["inside", "across"] as const) },
    placement: { name: "drawn", experts, slots: slots.map((list) => [...list]) },
    choices: {
      chunks: int(1, 2),
      scheduler: pick(BUILT_IN.scheduler.filter((name) => name !== "exact")),
      allToAll: pick(BUILT_IN.allToAll),
    },
  };
}

Deno.test("random worlds, groups, copies of experts and numbers of tokens give what the ranks give alone in float64", async () => {
  let compared = 0;
  for (let seed = 1; seed <= WORLDS; seed++) {
    const at = drawn(seed);
    const { tokens, modelDim, hiddenDim, experts, values, normalize } = at;
    using engine = openEngine({
      kind: "cpu",
      links: "plain",
      nodes: at.nodes,
      ranksPerNode: at.ranksPerNode,
    });
    const config: LayerConfig | UnevenLayerConfig = {
      ...{ tokens, modelDim, hiddenDim, experts, parallel: at.parallel, placement: at.placement },
      gate: topK({ k: at.topK, normalize }),
      losses: [gshard({ weight: AUX })],
      routing: at.dropless ? { dropless: true } : { capacityFactor: 0 },
      expert: ffn({ activation: "gelu" }),
    };
    using layer = createLayer(engine, config);
    const parameters = Object.fromEntries(
      Object.entries(layer.parameters).map(([name, shape]) => [
        name,
        values(shape.reduce((a, b) => a * b, 1), 0.7),
      ]),
    );
    layer.set(parameters);
    const all = tokens.reduce((a, b) => a + b) * modelDim;
    const [x, dy] = [values(all, 1), values(all, 1)];
    const expected: Record<string, Float64Array> = {
      y: new Float64Array(all),
      "grad.x": new Float64Array(all),
    };
    let first = 0;
    for (const count of tokens) {
      const [begin, end] = [first, first += count * modelDim];
      if (count === 0) continue;
      const one = reference({
        ...{ ranks: 1, tokens: count, modelDim, hiddenDim, experts, topK: at.topK },
        ...{ capacityFactor: 0, capacityAlignment: 1, normalizeGate: normalize, auxWeight: AUX },
        ...{ batchPrioritized: false, prescore: false, activation: "gelu", expert: "ffn" },
      }, { ...parameters, x: x.subarray(begin, end), dy: dy.subarray(begin, end) });
      for (const [name, own] of Object.entries(one)) {
        if (name === "aux_loss") continue;
        if (name === "y" || name === "grad.x") expected[name].set(own, begin);
        else {
          const sum = expected[name] ??= new Float64Array(own.length);
          own.forEach((value, i) => sum[i] += value);
        }
      }
    }
    const { output } = await layer.forward({ ...at.choices, x });
    const { gradients } = await layer.backward({ ...at.choices, dy });
    const found = new Map<string, ArrayLike<number>>([["y", output!]]);
    for (const [name, own] of Object.entries(gradients!)) found.set(`grad.${name}`, own);
    for (const [name, own] of Object.entries(expected)) {
      assertLess(
        largestError(found.get(name)! as Float32Array, Float32Array.from(own)),
        3e-5,
        `seed ${seed} ${name} ${JSON.stringify({ ...at, values: 0 })}`,
      );
      compared++;
    }
  }
  assertLess(WORLDS * 4, compared);
});
