import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { calibrate, predictionQuality, tune } from "../../lib/adaptive/mod.ts";
import { openEngine } from "../../lib/engines/mod.ts";
import { createLayer } from "../../lib/layer/mod.ts";
import { SchemoeError } from "../../lib/types.ts";

const config = { tokens: 32, modelDim: 32, hiddenDim: 64, experts: 4 };
const open = () => openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });

Deno.test("calibrate(), tune() and predictionQuality() end where their signal is aborted, and the engine goes on", async () => {
  using engine = open();
  using layer = createLayer(engine, config);
  const profile = await calibrate(engine, { layer: config, codecs: [], seconds: 0.5 });
  const parts = {
    calibrate: (signal: AbortSignal) => calibrate(engine, { layer: config, signal }),
    tune: (signal: AbortSignal) => tune(layer, { signal, budget: { seconds: 100 } }),
    predictionQuality: (signal: AbortSignal) =>
      predictionQuality(engine, { profile, shapes: [config], repeats: 1000, signal }),
  };
  for (const [name, part] of Object.entries(parts)) {
    const stop = new AbortController();
    const going = part(stop.signal);
    setTimeout(() => stop.abort("enough"), 100);
    const error = await assertRejects(() => going, SchemoeError, "aborted");
    assertEquals(error.cause, "enough", name);
    if (name === "calibrate") {
      assertMatch(error.message, /^Cannot calibrate: it was aborted after [\d.]+ s, /);
    }
    await assertRejects(() => part(AbortSignal.abort("before")), SchemoeError, "aborted");
    await assertRejects(
      () => part({} as AbortSignal),
      SchemoeError,
      "signal must be an AbortSignal",
    );
    await layer.forward();
  }
});
