import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { openEngine } from "../../lib/engines/mod.ts";
import { balancingRows, balancingTimes, rowsOf } from "../../lib/tasks/bench/balancing_rows.ts";
import { boundOfRates, fasterOf, fastestRates } from "../../lib/tasks/bench/fastest_rates.ts";
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
  for (const { way, ms, simulatedMs, overBound, valid } of rows) {
    assertEquals(ms, simulatedMs, `${way}`);
    assert(Number(overBound) >= 0.99, `${way} is ${overBound} of its bound`);
    assertEquals(valid, undefined);
  }
});

Deno.test("fastestRates() sees what a rank, a node and all of them can do", async () => {
  const nic = { beta: 1 / 25e9 };
  const world = topology({ nodes: 2, ranksPerNode: 4, ...links, nic });
  using engine = openEngine({ kind: "simulate", topology: world });
  const { inter, intra, spread } = await fastestRates(engine);
  const near = (rate: number, wanted: number) => {
    assert(rate <= wanted && rate > 0.96 * wanted, `${rate} of ${wanted}`);
  };
  near(inter.rank, 10e9);
  near(inter.node, 25e9);
  near(inter.all, 50e9);
  near(intra.rank, 200e9);
  near(intra.all, 8 * 200e9);
  assertEquals(spread, 0);
});

Deno.test("boundOfRates() is a bound where what all ranks share limits them: times of simulated worlds lie above it", async () => {
  const worlds: TopologyOptions[] = [
    { nodes: 2, ranksPerNode: 2, ...links },
    { nodes: 2, ranksPerNode: 4, ...links, nic: { beta: 1 / 12e9 } },
    { nodes: 3, ranksPerNode: 1, ...links },
    { nodes: 1, ranksPerNode: 4, ...links },
  ];
  for (const options of worlds) {
    const world = topology(options);
    using engine = openEngine({ kind: "simulate", topology: world });
    const rates = await fastestRates(engine);
    const times = await balancingTimes({ engine, world }, {
      ...{ tokens: 512, experts: 12, topK: 2, tokenBytes: 1 << 14 },
      ...(world.ranks === 3 ? {} : { experts: 16 }),
    });
    const limits = { column: "ms", bound: boundOfRates(world, rates), spread: rates.spread };
    for (const { way, overBound, valid } of rowsOf(times, limits)) {
      // rates of whole exchanges have start-ups in them
      assert(Number(overBound) >= 0.97, `${way} is ${overBound} of its bound`);
      assert(Number(overBound) < 0.995 || valid === undefined, `${way}`);
    }
    // links that are faster than the rates that were seen: the bound is none, and every row says so
    const half = (rate: number) => rate / 4;
    const slow = fasterOf(rates, rates);
    const wrong = boundOfRates(world, {
      inter: {
        rank: half(slow.inter.rank),
        node: half(slow.inter.node),
        all: half(slow.inter.all),
      },
      intra: { rank: half(slow.intra.rank), all: half(slow.intra.all) },
      spread: 0,
    });
    const exchanges = rowsOf(times, { ...limits, bound: wrong })
      .filter(({ what, way }) => what === "exchange" && way === "linear");
    assert(exchanges.some(({ valid }) => valid === false), `${options.nodes} nodes`);
  }
});

Deno.test("boundOfRates() counts what all nodes share: bytes of both directions over one loopback", () => {
  const world = topology({ nodes: 2, ranksPerNode: 2, ...links });
  const rates = { inter: { rank: 2, node: 4, all: 5 }, intra: { rank: 100, all: 200 }, spread: 0 };
  const bound = boundOfRates(world, rates);
  const between = (a: number, b: number) => (a < 2) !== (b < 2);
  // 40 bytes out of each node: 10 s by the node, 80 bytes over the loopback 16 s
  assertAlmostEquals(bound({ ranks: 4, bytes: (a, b) => between(a, b) ? 10 : 0 }), 16);
  // one direction alone: the node is the limit
  assertAlmostEquals(bound({ ranks: 4, bytes: (a, b) => between(a, b) && a < 2 ? 10 : 0 }), 10);
  assertAlmostEquals(
    bound({ ranks: 4, bytes: (a, b) => a !== b && !between(a, b) ? 1e4 : 0 }),
    200,
  );
});

Deno.test("balancingTimes() on one node lets experts take as long as their bytes between its ranks", async () => {
  const world = topology({ nodes: 1, ranksPerNode: 4, intra: links.intra, local: links.local });
  using engine = openEngine({ kind: "simulate", topology: world });
  const found = await fittedWorld(engine, { large: 64 << 20 });
  assertAlmostEquals(found.links.intra.beta * 1e9, links.intra.beta * 1e9, 1e-6);
  const sizes = { tokens: 64, experts: 8, topK: 2, tokenBytes: 4096 };
  const times = await balancingTimes({ engine, world: found }, sizes);
  for (const { text, work, measured } of times.filter(({ text }) => text.what === "pass")) {
    const { alpha } = found.processor;
    // 64 tokens of each of four ranks, twice, over four ranks: at Zipf 0 about as many for each
    if (text.zipf === 0) {
      const bytes = (work - alpha) / found.links.intra.beta;
      assert(bytes > 100 * 4096 && bytes < 160 * 4096, `${bytes}`);
    }
    assert(measured < 20 * work, `${text.way} takes ${measured} s, its experts ${work} s`);
  }
  const rates = await fastestRates(engine, { large: 64 << 20 });
  assertAlmostEquals(rates.intra.rank / 200e9, 1, 0.02);
});
