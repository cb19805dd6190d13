import { assert, assertAlmostEquals, assertThrows } from "@std/assert";
import {
  completeExchange,
  SchemoeError,
  testbed,
  TESTBED_NAMES,
  trafficSeconds,
} from "../../mod.ts";

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

Deno.test("testbed() names its sources, takes other sizes and rejects unknown names", () => {
  for (const name of TESTBED_NAMES) {
    const { topology, sources } = testbed(name, { nodes: 3, ranksPerNode: 5 });
    assert(topology.ranks === 15 && sources.length > 2);
    assert(topology.links.inter.beta > topology.links.intra.beta);
  }
  assertThrows(() => testbed("dgx"), SchemoeError, 'Unknown testbed "dgx": choose one of');
  assertThrows(() => testbed("dgx2-ib", { nodes: 0 }), SchemoeError, "nodes");
});
