import { assert, assertRejects, assertThrows } from "@std/assert";
import { calibrate, predictionQuality, tune } from "../../lib/adaptive/mod.ts";
import type { Engine } from "../../lib/engine.ts";
import { openEngine } from "../../lib/engines/mod.ts";
import { createLayer, createStack, simulated } from "../../lib/layer/mod.ts";
import { type MachineProfile, profileCosts, profiledTopology } from "../../lib/profile/mod.ts";
import { topology } from "../../lib/topology.ts";
import { SchemoeError } from "../../lib/types.ts";

const config = { tokens: 32, modelDim: 32, hiddenDim: 32, experts: 4 };
const world = { nodes: 1, ranksPerNode: 2 };
const stack = { layer: config, layers: 2 };

/** Everything that predicts for an engine. */
const predictions = (
  engine: Engine,
  profile: MachineProfile,
): Readonly<Record<string, () => Promise<unknown>>> => ({
  async simulated() {
    await simulated(createLayer(engine, config), profile).forward({ bound: false });
  },
  tune: () => tune(createLayer(engine, config), { profile, budget: { runs: 2 } }),
  "tune of a stack": () => tune(createStack(engine, stack), { profile, budget: { runs: 2 } }),
  predictionQuality: () =>
    predictionQuality(engine, { profile, shapes: [config], choices: [{}], repeats: 1, most: 1 }),
  async auto() {
    using layer = createLayer(engine, config);
    layer.auto = { profile };
    await layer.forward({ scheduler: "auto" });
  },
  "simulated of a run": async () => {
    using layer = createLayer(engine, config);
    return simulated(await layer.forward(), profile);
  },
});

Deno.test("a profile of another world, engine or machine is refused by all that predict, naming what differs", async (t) => {
  using engine = openEngine({ kind: "cpu", ...world, links: "plain" });
  const profile = await calibrate(engine, { layer: config, codecs: [], seconds: 1 });
  const { engine: made, machine } = profile;
  const all: readonly (readonly [string, MachineProfile, string])[] = [
    [
      "more nodes",
      { ...profile, engine: { ...made, nodes: 2 } },
      "of a world of 2 x 2 ranks, this is 1 x 2 ranks",
    ],
    ["one rank a node", { ...profile, engine: { ...made, ranksPerNode: 1 } }, "1 x 1 ranks"],
    ["another engine", { ...profile, engine: { ...made, kind: "cuda" } }, 'engine "cuda, '],
    ["other links", { ...profile, engine: { ...made, timing: "emulated links" } }, "emulated"],
    ["another machine", { ...profile, machine: { ...machine, processors: 999 } }, "999 proc"],
  ];
  for (const [name, other, text] of all) {
    await t.step(name, async () => {
      for (const [what, predict] of Object.entries(predictions(engine, other))) {
        // a run tells its engine, and not its machine
        if (what === "simulated of a run" && name === "another machine") continue;
        const error = await assertRejects(predict, SchemoeError, text, what);
        assert(error.message.includes("calibrate(engine) makes one here"), error.message);
      }
    });
  }
  for (const predict of Object.values(predictions(engine, profile))) await predict();
});

Deno.test("a profile from elsewhere predicts on a simulator of its world, and of no other one", async () => {
  using engine = openEngine({ kind: "cpu", ...world, links: "plain" });
  const own = await calibrate(engine, { layer: config, codecs: [], seconds: 1 });
  const profile = { ...own, machine: { ...own.machine, processors: 999 } };
  using simulator = openEngine({ kind: "simulate", ...world });
  for (const predict of Object.values(predictions(simulator, profile))) await predict();
  using larger = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  for (const [what, predict] of Object.entries(predictions(larger, profile))) {
    await assertRejects(predict, SchemoeError, "world of 1 x 2 ranks, this is 2 x 2", what);
  }
  const other = topology({ nodes: 2, ranksPerNode: 1 });
  assertThrows(() => profileCosts(profile, other), SchemoeError, "this is 2 x 1 ranks");
  assertThrows(() => profiledTopology(other, profile), SchemoeError, "this is 2 x 1 ranks");
});
