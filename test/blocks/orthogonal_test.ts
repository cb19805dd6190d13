import { assert, assertAlmostEquals, assertThrows } from "@std/assert";
import { createLayer, openEngine, SchemoeError, topK } from "../../mod.ts";
import { cosineTopK, orthogonal, switchBalance, tokenRounding } from "../../lib/blocks/mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import { largestError } from "../../lib/studies/golden.ts";
import { dot, row } from "./dense.ts";

const [MODEL, EXPERTS] = [7, 6];
const SIZES = { tokens: 8, modelDim: MODEL, hiddenDim: 5, experts: EXPERTS };

/** The loss of a weight [EXPERTS, MODEL] in plain loops. */
function loss(weight: Float64Array): number {
  const rows = Array.from({ length: EXPERTS }, (_, e) => row(weight, e, MODEL));
  const norms = rows.map((v) => Math.sqrt(dot(v, v)));
  let sum = 0;
  for (let i = 0; i < EXPERTS; i++) {
    for (let j = 0; j < EXPERTS; j++) {
      sum += (dot(rows[i], rows[j]) / norms[i] / norms[j] - (i === j ? 1 : 0)) ** 2;
    }
  }
  return sum / EXPERTS ** 2;
}

async function run(ranks: number, weight: Float32Array, tokens: number | number[] = 8) {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: ranks, links: "plain" });
  const losses = [orthogonal({ weight: 0.5 })];
  const routing = { capacityFactor: 0 };
  const config = { ...SIZES, gate: topK({ k: 2 }), losses, routing, tokens: tokens as number };
  using layer = createLayer(engine, config);
  layer.set({ "gate.weight": weight });
  const { losses: values, auxLoss } = await layer.forward({ results: true });
  // nothing but the loss has a gradient
  const all = Array.isArray(tokens) ? tokens.reduce((a, b) => a + b) : ranks * tokens;
  const { gradients } = await layer.backward({ dy: new Float32Array(all * MODEL), results: true });
  return { losses: values, auxLoss, gradient: gradients!["gate.weight"] };
}

const sum = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);

Deno.test("orthogonal() equals plain loops, value and gradient, on any number of ranks and tokens", async () => {
  const weight = randomNormal(EXPERTS * MODEL, { seed: 4, scale: 0.8 });
  const exact = Float64Array.from(weight);
  const expected = Float32Array.from(exact, (v, i) => {
    const at = (value: number) => loss(exact.with(i, value));
    return 0.5 * (at(v + 1e-5) - at(v - 1e-5)) / 2e-5;
  });
  for (const [ranks, tokens] of [[1, 8], [2, 8], [3, 8], [3, [5, 0, 9]]] as const) {
    const given = typeof tokens === "number" ? tokens : [...tokens];
    const { losses, auxLoss, gradient } = await run(ranks, weight, given);
    assertAlmostEquals(sum(losses!.orthogonal), loss(exact), 1e-6);
    assertAlmostEquals(sum(auxLoss!), 0.5 * loss(exact), 1e-6);
    const apart = largestError(gradient, expected);
    assert(apart < 1e-5, `the gradient on ${ranks} ranks differs by ${apart}`);
  }
});

Deno.test("orthogonal() goes with every other loss, and is refused where a gate has no weight", () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
  const losses = [orthogonal({ weight: 1 }), switchBalance({ weight: 1 })];
  const tiled = tokenRounding({ k: 2, tile: 8 });
  createLayer(engine, { ...SIZES, gate: tiled, losses, routing: { dropless: true } }).close();
  assertThrows(
    () => createLayer(engine, { ...SIZES, gate: cosineTopK({ k: 2, width: 3 }), losses }),
    SchemoeError,
    'the loss orthogonal needs a tensor "weight", which the gate cosineTopK has not',
  );
});
