import { assert, assertEquals, assertThrows } from "@std/assert";
import { createModel, ffn, openEngine, SchemoeError, swiglu } from "../../mod.ts";
import { adamw } from "../../lib/blocks/mod.ts";

Deno.test("weight decay applies to matrices of all experts, or to what decays says", async () => {
  const sizes = { vocabulary: 7, context: 4, batch: 1, modelDim: 8, attention: { heads: 2 } };
  const shared = { hiddenDim: 4, expert: ffn({ activation: "relu" }), gate: "none" } as const;
  const layers = [{ moe: { experts: 2, hiddenDim: 4, shared, latentDim: 4 } }, {
    ffn: { hiddenDim: 4, expert: swiglu() },
  }];
  /** Parameters that a rate of 0.5 and no gradient worth a step change: those that decay. */
  const changedBy = async (decays?: (name: string) => boolean) => {
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
    const optimizer = adamw({ weightDecay: 1, epsilon: 1e30, ...(decays ? { decays } : {}) });
    using model = createModel(engine, { ...sizes, layers, optimizer, rate: 0.5 });
    const names = Object.keys(model.parameters);
    const before = await Promise.all(names.map((name) => model.read(name)));
    await model.step(Int32Array.of(1, 2, 3, 4, 5));
    const after = await Promise.all(names.map((name) => model.read(name)));
    return names.filter((_, i) =>
      after[i].some((value, at) => Math.abs(value - before[i][at]) > 1e-20)
    );
  };
  const matrices = /\.(q|k|v|o|w\d|up|down)$|gate\.weight$|^head$/;
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
  using model = createModel(engine, { ...sizes, layers });
  const names = Object.keys(model.parameters);
  assert(names.includes("blocks.0.moe.shared.w1"));
  assertEquals(await changedBy(), names.filter((name) => matrices.test(name)));
  assertEquals(await changedBy((name) => name === "norm"), ["norm"]);
  const decays = "head" as unknown as () => boolean;
  assertThrows(() => adamw({ decays }), SchemoeError, "decays must be a function");
});
