import { assert, assertEquals, assertThrows } from "@std/assert";
import { topK } from "../../lib/blocks/mod.ts";
import { openEngine } from "../../lib/engines/mod.ts";
import { createLayer } from "../../lib/layer/create_layer.ts";
import { simulated } from "../../lib/layer/simulated.ts";
import { predictedVsMeasured } from "../../lib/timeline/measures/prediction.ts";
import { topology } from "../../lib/topology.ts";
import { SchemoeError } from "../../lib/types.ts";

const config = { tokens: 64, modelDim: 16, hiddenDim: 32, experts: 4, gate: topK({ k: 2 }) };

Deno.test("simulated() of a simulated run is the same run", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const run = await createLayer(engine, config).forward({ scheduler: "optSche", chunks: 2 });
  const again = simulated(run);
  assertEquals([again.makespan, again.bound, again.pass], [run.makespan, run.bound, "forward"]);
  for (const ratio of predictedVsMeasured(run, again).table.array("ratio")) {
    assert(ratio === 1 || ratio === null);
  }
});

Deno.test("simulated() predicts a paced run whose gate runs in a Program of its own", async () => {
  const world = topology({ nodes: 1, ranksPerNode: 2 });
  using engine = openEngine({ kind: "cpu", topology: world, computation: "paced" });
  using layer = createLayer(engine, { ...config, routing: { capacityFactor: 0 } });
  const run = await layer.forward({ chunks: 2 });
  assertEquals(run.ran.length, 2);
  const { table } = predictedVsMeasured(run, simulated(run));
  const rows = table.objects() as { what: string; ratio: number | null }[];
  assertEquals(rows.map(({ what }) => what).slice(-3), [
    "allReduce intra",
    "waiting for a peer",
    "makespan",
  ]);
  // paced computation and emulated links: as a whole no faster than the model says
  assert(rows.at(-1)!.ratio! > 0.9, `${rows.at(-1)!.ratio}`);
});

Deno.test("predictedVsMeasured() refuses the simulation where the measured run belongs", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, config);
  const run = await layer.forward({ chunks: 2 });
  const model = simulated(run);
  assert(predictedVsMeasured(run, model).table.numRows() > 3);
  assertThrows(
    () => predictedVsMeasured(model, run),
    SchemoeError,
    "the first run is simulated and the second is not; give the measured one first",
  );
});
