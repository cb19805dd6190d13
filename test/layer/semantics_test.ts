import { assertEquals, assertLess } from "@std/assert";
import { createLayer, ffn, openEngine, swiglu } from "../../mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import { largestError } from "../../lib/studies/golden.ts";
import { goldenLayer } from "../../lib/studies/golden_layer.ts";
import { uniforms } from "../../lib/random.ts";
import { goldenCases, goldenFields } from "./golden_cases.ts";
import { reference, type ReferenceConfig } from "./reference.ts";

const TOLERANCE = 1e-5;

const defaults = {
  topK: 1,
  normalizeGate: true,
  prescore: false,
  auxWeight: 0,
  capacityFactor: 1,
  capacityAlignment: 1,
  batchPrioritized: false,
};

Deno.test("the reference of these tests agrees with the golden cases", () => {
  for (const golden of goldenCases) {
    const name = golden.config.expert!.name;
    const data = Object.fromEntries(
      [...golden.tensors].map(([tensor, { data }]) => [tensor, data]),
    );
    const results = reference({
      ...defaults,
      ...goldenFields(golden.name),
      expert: name === "swiglu" ? "swiglu" : "ffn",
      activation: name.match(/relu|gelu|silu/)?.[0] as "relu" ?? "silu",
    }, data);
    for (const [tensor, values] of Object.entries(results)) {
      assertLess(
        largestError(Float32Array.from(values), data[tensor]),
        TOLERANCE,
        `${golden.name} ${tensor}`,
      );
    }
  }
});

const base: ReferenceConfig = {
  ...defaults,
  ranks: 2,
  tokens: 24,
  modelDim: 8,
  hiddenDim: 12,
  experts: 4,
  topK: 2,
  auxWeight: 0.1,
  activation: "relu",
  expert: "ffn",
};

const cases: Record<
  string,
  Partial<ReferenceConfig> & { bias?: boolean; dropless?: boolean }
> = {
  "prescore": { prescore: true },
  "prescore, top-1": { prescore: true, topK: 1 },
  "prescore, not normalized, batch prioritized": {
    prescore: true,
    normalizeGate: false,
    batchPrioritized: true,
    topK: 3,
  },
  "negative factor below the largest load": { capacityFactor: -0.5 },
  "negative factor above the largest load": { capacityFactor: -4 },
  "factor 0 aligned to 8": { capacityFactor: 0, capacityAlignment: 8 },
  "positive factor aligned to 5": { capacityFactor: 1, capacityAlignment: 5 },
  "tanh GELU without biases": { activation: "geluTanh", bias: false },
  "exact GELU without biases": { activation: "gelu", bias: false },
  "SiLU, all experts of a token": { activation: "silu", topK: 4, capacityFactor: 2 },
  "swiglu with prescore": { expert: "swiglu", prescore: true },
  "swiglu on 4 ranks of one expert": { expert: "swiglu", ranks: 4, capacityFactor: 0 },
  "one rank": { ranks: 1, capacityFactor: 0.75 },
  "more experts than tokens": { tokens: 3, experts: 8, topK: 2 },
  "one token, one column": { tokens: 1, modelDim: 1, hiddenDim: 1, topK: 1 },
  "one expert": { ranks: 1, experts: 1, topK: 1 },
  "dropless": { dropless: true, capacityFactor: 0 },
  "dropless with prescore, batch prioritized": {
    dropless: true,
    capacityFactor: 0,
    prescore: true,
    batchPrioritized: true,
  },
  "dropless swiglu on one rank": {
    dropless: true,
    capacityFactor: 0,
    ranks: 1,
    expert: "swiglu",
  },
  "dropless, more experts than tokens": {
    dropless: true,
    capacityFactor: 0,
    tokens: 3,
    experts: 8,
    ranks: 4,
  },
};

for (const [name, change] of Object.entries(cases)) {
  Deno.test(`createLayer() computes the definition: ${name}`, async () => {
    const { bias, dropless, ...fields } = { bias: true, dropless: false, ...change };
    await compare({ ...base, ...fields }, { bias, dropless, chunks: 1, seed: 3 });
  });
}

Deno.test("createLayer() computes the definition for random layers, worlds, codecless choices and chunks", async () => {
  const uniform = uniforms(11);
  const pick = <T>(list: readonly T[]) => list[Math.floor(uniform() * list.length)];
  for (let seed = 0; seed < 40; seed++) {
    const ranks = pick([1, 2, 3, 4]);
    const experts = ranks * pick([1, 2, 3]);
    const config: ReferenceConfig = {
      ranks,
      experts,
      tokens: pick([1, 7, 16, 33]),
      modelDim: pick([1, 4, 9]),
      hiddenDim: pick([1, 5, 16]),
      topK: 1 + Math.floor(uniform() * experts),
      capacityFactor: pick([0, 1, 1.5, 2, -1, -2]),
      capacityAlignment: pick([1, 1, 4]),
      normalizeGate: uniform() < 0.5,
      batchPrioritized: uniform() < 0.5,
      prescore: uniform() < 0.5,
      auxWeight: pick([0, 0.01, 1]),
      activation: pick(["relu", "gelu", "geluTanh", "silu"]),
      expert: pick(["ffn", "ffn", "swiglu"]),
    };
    const bias = uniform() < 0.5;
    const chunks = pick([1, 2]);
    await compare(config, { bias, chunks, seed });
    const dropless = { ...config, capacityFactor: 0, capacityAlignment: 1 };
    await compare(dropless, { bias, chunks: chunks + 1, seed, dropless: true });
  }
});

async function compare(
  config: ReferenceConfig,
  { bias, chunks, seed, dropless = false }: {
    bias: boolean;
    chunks: number;
    seed: number;
    dropless?: boolean;
  },
): Promise<void> {
  const { ranks, tokens, modelDim, hiddenDim, experts, activation, expert } = config;
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: ranks, links: "plain" });
  using layer = createLayer(engine, {
    tokens,
    modelDim,
    hiddenDim,
    experts,
    ...goldenLayer({ ...config, dropless }),
    expert: expert === "swiglu" ? swiglu() : ffn({ activation, bias }),
  });
  const size = ranks * config.tokens * config.modelDim;
  const tensors: Record<string, Float32Array> = {
    x: randomNormal(size, { seed: 3 * seed + 1 }),
    dy: randomNormal(size, { seed: 3 * seed + 2 }),
  };
  for (const [i, [name, shape]] of Object.entries(layer.parameters).entries()) {
    tensors[name] = randomNormal(shape.reduce((a, b) => a * b), {
      seed: 100 + 17 * seed + i,
      scale: 0.5,
    });
  }
  layer.set(tensors);
  const choices = { scheduler: "optSche", allToAll: "pipe", bound: false };
  const forward = await layer.forward({ ...choices, results: true });
  const most = forward.configuration.capacity as number;
  const split = Math.min(chunks, most);
  const again = await layer.forward({ ...choices, chunks: split });
  // backward may be split otherwise than forward
  const backward = await layer.backward({ ...choices, chunks: Math.min(chunks + 1, most) });
  const expected = reference(config, tensors);
  const where = JSON.stringify({ ...config, bias, chunks, dropless });
  const got: Record<string, Float32Array> = { y: again.output!, aux_loss: again.losses!.gshard };
  for (const [name, values] of Object.entries(backward.gradients!)) got[`grad.${name}`] = values;
  assertEquals(Object.keys(got).toSorted(), Object.keys(expected).toSorted());
  for (const [name, values] of Object.entries(expected)) {
    assertLess(errorOf(got[name], values), TOLERANCE, `${name} of ${where}`);
  }
  assertLess(errorOf(forward.output!, expected.y), TOLERANCE, `y in one chunk of ${where}`);
}

/** Like `largestError`, with absolute error for tensors that are tiny by cancellation. */
function errorOf(got: Float32Array, expected: Float64Array): number {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const error = largestError(got, Float32Array.from(expected));
  return largest < 1e-3 ? error * largest : error;
}
