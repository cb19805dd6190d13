/** Cases with fields in random combinations against loops in float64 that know nothing of the library. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { openEngine, SchemoeError } from "../../mod.ts";
import { goldenErrors, parseGolden, runGolden } from "../../lib/studies/golden.ts";
import { goldenLayer } from "../../lib/studies/golden_layer.ts";
import { drawFields, writeCase } from "./gates_random.ts";

const TOLERANCE = 1e-5;

/** Errors of a seed's case, each below the tolerance; the case has each loss and update of its fields. */
async function check(seed: number): Promise<void> {
  const fields = drawFields(seed);
  const bytes = writeCase(seed, fields);
  assert(bytes, `seed ${seed} has no values without ties`);
  const golden = parseGolden(bytes, `seed-${seed}`);
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: golden.ranks, links: "plain" });
  const scheduler = ["optSche", "sequential", "pipeMoE"][seed % 3];
  // an expert may have a single place, which cannot be split
  const chunks = fields.capacityFactor > 0 || fields.gate.scores === "relu" ? 1 : 1 + seed % 2;
  const errors = goldenErrors(golden, await runGolden(engine, golden, { scheduler, chunks }));
  const what = JSON.stringify(fields);
  for (const [tensor, error] of Object.entries(errors)) {
    assert(error < TOLERANCE, `seed ${seed}: ${tensor} differs by ${error} in ${what}`);
  }
  const names = [...golden.tensors.keys()].filter((name) =>
    /^(y|aux_loss|loss\..*|update\..*|grad\..*)$/.test(name)
  );
  assertEquals(Object.keys(errors).toSorted(), names.toSorted());
}

const SEEDS = 40;
const GROUP = 8;
for (let first = 1; first <= SEEDS; first += GROUP) {
  Deno.test(`runGolden() of random fields equals plain loops in float64, seeds from ${first}`, async () => {
    for (let seed = first; seed < first + GROUP; seed++) await check(seed);
  });
}

Deno.test("drawFields() has every kind of choice, score, logit, loss and update among the seeds tested", () => {
  const all = Array.from({ length: SEEDS }, (_, i) => drawFields(i + 1));
  const found = new Set(all.flatMap(({ gate, losses, updates = [], ...f }) => [
    gate.hash ? "hash" : gate.choice,
    gate.scores,
    ...Object.entries(gate).filter(([, value]) => value === true).map(([name]) => name),
    ...(gate.zeroExperts ? ["zeroExperts"] : []),
    ...(gate.groupLimit < gate.groups ? ["groups"] : []),
    ...losses.map(({ name }) => name),
    ...updates.map(({ name }) => name),
    ...(f.experts % f.ranks ? ["uneven"] : []),
    ...(f.shared ? [`shared ${f.shared.kind} ${f.shared.gate}`] : []),
    f.expert,
    gate.weighs,
  ]));
  for (
    const kind of [
      ...["token", "expert", "hash", "softmax", "sigmoid", "sqrtsoftplus", "softmaxOfChosen"],
      ...["relu", "bias", "selectionBias", "noise", "cosine", "normalize", "zeroExperts", "groups"],
      ...["gshard", "switch", "globalBatch", "sequence", "z", "importance", "load"],
      ...["sign", "quantile", "uneven", "input", "output", "shared swiglu sigmoid"],
      ...["ffn", "llama_ffn", "geglu", "relu2", "clampedSwiglu"],
    ]
  ) assert(found.has(kind), `no case has ${kind}`);
});

Deno.test("goldenLayer() refuses experts without computation that would have to choose tokens", () => {
  const { gate } = drawFields(1);
  const chosen = { ...gate, hash: false, scores: "softmax", choice: "expert" } as const;
  assertThrows(
    () => goldenLayer({ gate: { ...chosen, zeroExperts: 2 }, topK: 2 }),
    SchemoeError,
    'zeroExperts 2 of a case with choice "expert"',
  );
});
