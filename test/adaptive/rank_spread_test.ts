import { assert, assertEquals } from "@std/assert";
import { calibrate } from "../../lib/adaptive/mod.ts";
import { rankSpread } from "../../lib/adaptive/rank_spread.ts";
import { atMost } from "../../lib/adaptive/sweeps.ts";
import { modelCosts } from "../../lib/costs/mod.ts";
import { simulate } from "../../lib/engines/mod.ts";
import { simulated } from "../../lib/layer/mod.ts";
import { createLayer, openEngine, topology } from "../../mod.ts";

const world = topology({ nodes: 2, ranksPerNode: 2, processor: { flopRate: 1e9, alpha: 0 } });
const engine = openEngine({ kind: "simulate", topology: world });
const config = { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 };
const layer = createLayer(engine, config);
const { ran: [{ program }] } = await layer.forward({ chunks: atMost(2), results: false });
const { seconds } = modelCosts(world);
const run = (...speed: number[]) => simulate(program, { ...world, speed });

Deno.test("rankSpread() tells how much slower the slowest rank of a run is, whichever that is", () => {
  const runs = [run(1, 0.5, 1, 1), run(0.5, 1, 1, 1), run(1, 1, 1, 0.5)];
  const spread = rankSpread([{ program, runs }], seconds)!;
  // 1, 1, 1 and 2 over their mean
  for (const [i, wanted] of [0.8, 0.8, 0.8, 1.6].entries()) {
    assert(Math.abs(spread[i] / wanted - 1) < 1e-6, `${spread}`);
  }
});

Deno.test("rankSpread() says nothing where ranks are alike, however slow, and where nothing was measured", () => {
  assertEquals(rankSpread([{ program, runs: [run(0.3, 0.3, 0.3, 0.3)] }], seconds), undefined);
  assertEquals(rankSpread([{ program, runs: [run(1, 1, 1, 0.98)] }], seconds), undefined);
  assertEquals(rankSpread([], seconds), undefined);
});

Deno.test("predictions by a profile take what each rank of a run takes, from the fastest to the slowest", async () => {
  const ranks = [0.8, 0.9, 1, 1.3];
  const made = await calibrate(engine, { layer: config, codecs: [] });
  const predicted = simulated(layer, { ...made, processors: { capacity: 4, ranks } });
  const { ran: [{ program: same, events: { end } }] } = await predicted.forward({
    chunks: atMost(2),
  });
  const wanted = simulate(same, { ...world, speed: ranks.map((factor) => 1 / factor) }).end;
  for (const [i, time] of end.entries()) {
    assert(Math.abs(time / wanted[i] - 1) < 1e-4, `operation ${i}: ${time}, not ${wanted[i]}`);
  }
});
