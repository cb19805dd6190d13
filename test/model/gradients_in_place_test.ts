import { assert } from "@std/assert";
import { createModel, openEngine, topK } from "../../mod.ts";
import type { MoeConfig } from "../../lib/model/mod.ts";
import { byCapacity } from "../schedulers/by_capacity.ts";

const moe = { experts: 8, hiddenDim: 10, gate: topK({ k: 3 }), routing: { dropless: true } };
const kinds: Readonly<Record<string, MoeConfig>> = {
  "a shared expert": { ...moe, shared: { hiddenDim: 8 } },
  "a gated shared expert": { ...moe, shared: { hiddenDim: 8, gate: "sigmoid" } },
  "latent rows": { ...moe, latentDim: 6 },
};

for (const [name, config] of Object.entries(kinds)) {
  Deno.test(`schedulers change no gradient of a model with ${name}, whose output's gradient attention overwrites`, async () => {
    using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
    const tokens = Int32Array.from({ length: 4 * 4 * 9 }, (_, i) => (i * i + i % 5) % 11);
    let first: Map<string, Float32Array> | undefined;
    for (const scheduler of byCapacity) {
      using model = createModel(engine, {
        ...{ vocabulary: 11, context: 8, batch: 4, modelDim: 12, microbatches: 2 },
        ...{ attention: { heads: 2 }, layers: [{ moe: config }, { moe: config }] },
      });
      await model.step(tokens, { scheduler, chunks: 2, compressor: "bf16" });
      const gradients = new Map<string, Float32Array>();
      for (const of of Object.keys(model.parameters)) gradients.set(of, await model.gradient(of));
      first ??= gradients;
      for (const [of, values] of gradients) {
        const expected = first.get(of)!;
        assert(values.every((value, i) => value === expected[i]), `${of} under ${scheduler}`);
      }
    }
  });
}
