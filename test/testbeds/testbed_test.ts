import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { openEngine, SchemoeError, testbed, topology } from "../../mod.ts";
import { TESTBED_NAMES } from "../../lib/testbeds/mod.ts";
import { completeExchange, trafficSeconds } from "../../lib/costs/mod.ts";

Deno.test('testbed("2080ti-ib100") takes for an all-to-all of 32 GPUs what PipeMoE fitted', () => {
  const { topology } = testbed("2080ti-ib100");
  const traffic = completeExchange(topology, { copied: 1 }).of(0);
  for (const bytes of [0, 1e6, 6.4e8]) {
    assertAlmostEquals(
      trafficSeconds(topology, traffic, bytes / 32),
      2.09e-4 + 3.55e-10 * bytes,
      1e-12,
    );
  }
});

Deno.test("testbed() of publications takes for a GEMM what they fitted for each m n k * 4", () => {
  const published = [["2080ti-ib100", 1.5e-4, 3.73e-14], ["dgx2-ib", 4.26e-5, 2.29e-14]] as const;
  for (const [name, alpha, beta] of published) {
    const { processor } = testbed(name).topology;
    assertEquals(processor.alpha, alpha);
    // 2 m n k operations
    assertAlmostEquals(2 * 1e12 / processor.flopRate, beta * 4 * 1e12, 1e-12);
  }
});

Deno.test("testbed() names its sources, takes other sizes and rejects unknown names", () => {
  for (const name of TESTBED_NAMES) {
    const { topology, sources } = testbed(name, { nodes: 3, ranksPerNode: 5 });
    assert(topology.ranks === 15 && sources.length > 2);
    assert(topology.links.inter.beta > topology.links.intra.beta);
  }
  assertThrows(() => testbed("dgx"), SchemoeError, 'Unknown testbed "dgx": choose one of');
  assertThrows(() => testbed("dgx2-ib", { nodes: 0 }), SchemoeError, "nodes");
});

Deno.test("testbed() of current clusters takes its links from NCCL, and openEngine() simulates one by default", () => {
  const rate = (name: string, link: "intra" | "inter") =>
    1e-9 / testbed(name).topology.links[link].beta;
  assertAlmostEquals(rate("a100-ib200", "intra"), 240);
  assertAlmostEquals(rate("h100-ib400", "intra"), 370.8, 1e-9);
  assertAlmostEquals(rate("b200-ib400", "intra"), 721.8, 1e-9);
  assertAlmostEquals(rate("h200-ib400", "inter"), 48.5, 1e-9);
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 4 });
  assertEquals(engine.topology.name, "h200-ib400");
  assertEquals(
    engine.topology.links,
    testbed("h200-ib400", { nodes: 2, ranksPerNode: 4 }).topology.links,
  );
  assertEquals(topology({ nodes: 1, ranksPerNode: 2 }).name, "slowed down for two cores");
  assertEquals(topology({ nodes: 1, ranksPerNode: 2, inter: { beta: 1e-9 } }).name, undefined);
});
