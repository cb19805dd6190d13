import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { openEngine } from "../../lib/engines/mod.ts";
import { balancingRows } from "../../lib/tasks/bench/balancing_rows.ts";
import { fittedWorld } from "../../lib/tasks/bench/fitted_world.ts";
import { topology, type TopologyOptions } from "../../lib/topology.ts";

const links = {
  intra: { alpha: 3e-6, beta: 1 / 200e9 },
  inter: { alpha: 10e-6, beta: 1 / 10e9 },
  local: { beta: 1 / 900e9 },
} as const;

async function fitted(options: TopologyOptions) {
  const world = topology(options);
  using engine = openEngine({ kind: "simulate", topology: world });
  const found = await fittedWorld(engine);
  for (const name of ["intra", "inter", "local"] as const) {
    // times are whole nanoseconds
    assertAlmostEquals(found.links[name].alpha, world.links[name].alpha, 5e-9);
    assertAlmostEquals(found.links[name].beta * 2 ** 22, world.links[name].beta * 2 ** 22, 5e-9);
  }
  assertEquals(found.processor, world.processor);
  return found;
}

Deno.test("fittedWorld() finds the links that an engine's transfers take", async () => {
  const found = await fitted({ nodes: 2, ranksPerNode: 4, ...links });
  assert(found.nic === undefined || found.nic.beta * 4 < links.inter.beta * 1.001);
});

Deno.test("fittedWorld() finds a card that the ranks of a node share", async () => {
  const nic = { beta: 1 / 12e9 };
  const found = await fitted({ nodes: 3, ranksPerNode: 2, ...links, nic });
  assertAlmostEquals(found.nic!.beta * 1e9, nic.beta * 1e9, 1e-3);
});

Deno.test("balancingRows() puts every way beside its bound, none below it where links are as they are said to be", async () => {
  const world = topology({ nodes: 2, ranksPerNode: 2, ...links });
  using engine = openEngine({ kind: "simulate", topology: world });
  const sizes = { tokens: 64, experts: 8, topK: 2, tokenBytes: 4096 };
  const rows = await balancingRows({ engine, world, column: "ms" }, sizes);
  assertEquals(new Set(rows.map(({ zipf }) => zipf)), new Set([0, 0.4, 0.8, 1.2]));
  const ways = { exchange: 6, pass: 7 };
  for (const [kind, count] of Object.entries(ways)) {
    assertEquals(rows.filter(({ what }) => what === kind).length, 4 * count);
  }
  for (const { way, ms, simulatedMs, overBound } of rows) {
    assertEquals(ms, simulatedMs, `${way}`);
    assert(Number(overBound) >= 0.99, `${way} is ${overBound} of its bound`);
  }
});
