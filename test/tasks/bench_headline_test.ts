import { assert, assertEquals } from "@std/assert";
import { headlineReport } from "../../lib/tasks/bench/headline.ts";
import { openEngine, topK, topology } from "../../mod.ts";

Deno.test("headlineReport() compares Tutel's and the tuned choice, without a codec and with the same one", async () => {
  const world = topology({
    ...{ nodes: 2, ranksPerNode: 2 },
    intra: { bandwidth: "10 MB/s", latency: "100 us" },
    inter: { bandwidth: "1 MB/s", latency: "200 us" },
    processor: { flopRate: "200 MFLOP/s", byteRate: "100 MB/s", latency: "50 us" },
  });
  using engine = openEngine({ kind: "cpu", topology: world, computation: "paced" });
  const config = { tokens: 32, modelDim: 16, hiddenDim: 32, experts: 4, gate: topK({ k: 2 }) };
  const { rows, configuration } = await headlineReport(engine, config, { seconds: 2, steps: 1 });
  assertEquals(configuration.world, "2 x 2");
  assertEquals(rows.map(({ what }) => what), [
    "Tutel, no codec",
    "Tutel, the same codec",
    "tuned, no codec",
    "tuned, any codec",
  ]);
  const codecs = rows.map(({ forward, backward }) =>
    [forward, backward].map((name) => `${name}`.split(" + ")[2].split(",")[0]).join()
  );
  assertEquals([codecs[0], codecs[2]], ["none,none", "none,none"]);
  assertEquals(codecs[1], codecs[3]);
  assert(codecs[3] !== "none,none", "links this slow need a codec");
  assert(rows.slice(0, 2).every(({ forward }) => `${forward}`.startsWith("tutel + ")));
  for (const row of rows) {
    // paced times are no shorter than their bound, but for a late beginning, of which 0.5 ms a pass are made up for
    assert(Number(row["ms a step"]) >= Number(row["bound ms"]) - 1, JSON.stringify(row));
  }
  assertEquals(rows[3]["over tuned, any codec"], 1);
  assertEquals(rows[3]["over tuned, step by step"], 1);
  const [, same, , best] = rows;
  const most = Number(same["ms a step"]) / Number(best["bound ms"]);
  assert(Math.abs(Number(same["at most, by its bound"]) - most) < 0.02, `${most}`);
});
