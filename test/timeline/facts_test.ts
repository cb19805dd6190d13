import { assertEquals } from "@std/assert";
import { createLayer, openEngine, topology } from "../../mod.ts";
import { timedRun } from "../../lib/layer/mod.ts";
import { timedGraph } from "../../lib/graph/mod.ts";
import { optSche } from "../../lib/schedulers/mod.ts";
import { commonText, commonWorld, factsOf } from "../../lib/timeline/chart/facts.ts";

const world = topology({ nodes: 2, ranksPerNode: 2, inter: { bandwidth: "50 GB/s" } });

Deno.test("factsOf() says sizes, world and choices of a run", async () => {
  using engine = openEngine({ kind: "simulate", topology: world });
  using layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 4 });
  const [choices, sizes, links] = factsOf(await layer.forward({ chunks: 2 }));
  assertEquals(choices.split(" · ").slice(0, 4), [
    "forward",
    "sequential + linear",
    "codec none",
    "2 chunks",
  ]);
  assertEquals(
    sizes,
    "tokens 64 a rank · modelDim 8 · hiddenDim 16 · 4 experts, top-1 · float32 · capacity 16 · ffn(relu)",
  );
  assertEquals(links.split(" · ")[2], "between nodes 50 GB/s + 50 us");
});

Deno.test("factsOf() says nothing of links where the times of tasks were given", () => {
  const facts = factsOf(timedRun(timedGraph({ chunks: 2, times: { A1: 1, E: 2 } }), optSche));
  assertEquals(facts.filter((line) => line.includes("ranks") || line.includes("FLOP/s")), []);
});

Deno.test("commonText() and commonWorld() keep what all runs have in common", () => {
  assertEquals(
    commonText([{ chunks: 4, codec: "a" }, { chunks: 4, codec: "b" }, { chunks: 4, codec: "a" }]),
    "chunks 4",
  );
  const one = topology({ nodes: 1, ranksPerNode: 2 });
  assertEquals(commonWorld([one, world]).split(" · ").map((part) => part.split(" ")[0]), [
    "inside",
    "between",
    "computation",
  ]);
  assertEquals(
    commonWorld([world, topology({ nodes: 2, ranksPerNode: 2 })]).includes("between"),
    false,
  );
});
