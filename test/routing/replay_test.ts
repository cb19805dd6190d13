import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { createLayer, openEngine, SchemoeError, topK } from "../../mod.ts";
import { replayed } from "../../lib/blocks/mod.ts";
import {
  correlatedRouting,
  loadsOf,
  megatronTrace,
  parseLoads,
  parseMegatronTrace,
  recordedRouting,
  routingOfLoads,
  zipfRouting,
} from "../../lib/routing/mod.ts";
import { replayRouting } from "../../lib/studies/mod.ts";

const SIZES = { tokens: 24, modelDim: 8, hiddenDim: 16, experts: 8 } as const;
const WORLD = { nodes: 2, ranksPerNode: 2 };
const trace = zipfRouting({ ranks: 4, tokens: 24, experts: 8, topK: 2, exponent: 1, seed: 4 });

Deno.test("replayed() sends tokens where the routing says, dropless and padded, and run.routing records it", async () => {
  using engine = openEngine({ kind: "cpu", ...WORLD, links: "plain" });
  for (const routing of [{ dropless: true }, { capacityFactor: 0 }]) {
    using layer = createLayer(engine, { ...SIZES, gate: replayed({ trace }), routing });
    const run = await layer.forward({ chunks: 2, scheduler: "optSche", allToAll: "fast" });
    for (let rank = 0; rank < 4; rank++) {
      assertEquals(run.routing!.choices(rank), trace.choices(rank));
      assertEquals(run.routing!.tokens(rank), 24);
    }
    assertEquals(run.loads, loadsOf(trace).table);
    assertEquals((await layer.backward()).routing, undefined);
  }
});

Deno.test("a recorded routing, written for Megatron, read and replayed gives the results of its gate", async () => {
  using engine = openEngine({ kind: "cpu", ...WORLD, links: "plain" });
  const routing = { dropless: true };
  using first = createLayer(engine, { ...SIZES, gate: topK({ k: 2 }), routing });
  const run = await first.forward({ results: true });
  const dx = (await first.backward({ results: true })).gradients!.x;
  const [read] = parseMegatronTrace(megatronTrace(run.routing!), { experts: 8 });
  using second = createLayer(engine, { ...SIZES, gate: replayed({ trace: read }), routing });
  const again = await second.forward({ results: true, chunks: 3, allToAll: "matchings" });
  again.output!.forEach((value, i) => assertAlmostEquals(value, run.output![i], 1e-5));
  const { x } = (await second.backward({ results: true })).gradients!;
  x.forEach((value, i) => assertAlmostEquals(value, dx[i], 1e-5));
});

Deno.test("the simulator lays rows out by the loads of a replayed routing", async () => {
  using engine = openEngine({ kind: "simulate", ...WORLD });
  const routing = { dropless: true };
  using replay = createLayer(engine, { ...SIZES, gate: replayed({ trace }), routing });
  using given = createLayer(engine, { ...SIZES, gate: topK({ k: 2 }), routing });
  const options = { chunks: 2, scheduler: "optSche", allToAll: "rails" };
  const run = await replay.forward(options);
  assertEquals(run.makespan, (await given.forward({ ...options, loads: loadsOf(trace) })).makespan);
  assert(run.makespan !== (await given.forward(options)).makespan);
});

Deno.test("replayed() takes tokens without experts, and refuses routings of other sizes", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const sizes = { ...SIZES, tokens: 3, experts: 2, routing: { dropless: true } };
  const choices = Int32Array.from([0, 1, -1, -1, 1, -1, 1, 0, 0, -1, -1, -1]);
  const some = recordedRouting({ name: "some", ranks: 2, experts: 2, topK: 2, choices });
  using layer = createLayer(engine, { ...sizes, gate: replayed({ trace: some }) });
  const run = await layer.forward({ results: true });
  assertEquals(run.loads, Int32Array.from([1, 2, 2, 1]));
  assertEquals(Array.from(run.routing!.choices(1)), [1, 0, 0, -1, -1, -1]);
  const row = (token: number) => run.output!.subarray(8 * token, 8 * token + 8);
  assert(row(1).every((value) => value === 0) && row(5).every((value) => value === 0));
  assert(row(0).some((value) => value !== 0));
  const fails = (other: object, part: string) =>
    assertThrows(
      () => createLayer(engine, { ...sizes, gate: replayed({ trace: some }), ...other }),
      SchemoeError,
      part,
    );
  fails({ experts: 4 }, "has 2 experts, the layer 4");
  fails({ tokens: 4 }, "has 3 tokens on rank 0, the layer 4");
  using four = openEngine({ kind: "simulate", ...WORLD });
  assertThrows(
    () =>
      createLayer(four, {
        ...sizes,
        experts: 2,
        parallel: { expert: 2 },
        gate: replayed({ trace: some }),
      }),
    SchemoeError,
    "has a routing of 2 ranks, the world has 4",
  );
  const far = { ...some, choices: () => Int32Array.from([0, 1, 2, -1, 1, -1]) };
  assertThrows(
    () => replayed({ trace: far }),
    SchemoeError,
    "sends token 1 of rank 0 to expert 2 of 2",
  );
  const short = { ...some, choices: () => new Int32Array(4) };
  assertThrows(() => replayed({ trace: short }), SchemoeError, "has 4 choices on rank 0, not 6");
  assertThrows(() => replayed({ trace: {} as never }), SchemoeError, "trace must be a routing");
  assertThrows(
    () => replayed({ trace, seed: 1 } as never),
    SchemoeError,
    '"seed" is not an option',
  );
  assertThrows(
    () => megatronTrace(some),
    SchemoeError,
    "token 1 of rank 0 has fewer than 2 experts",
  );
});

Deno.test("routingOfLoads() has exactly the loads, no expert twice in a token, and runs on the CPU engine", async () => {
  const sizes = { tokens: 24, topK: 2 };
  const loads = loadsOf(trace);
  const made = routingOfLoads(loads, sizes);
  assertEquals(loadsOf(made), loads);
  for (let rank = 0; rank < 4; rank++) {
    const choices = made.choices(rank);
    for (let i = 0; i < choices.length; i += 2) assert(choices[i] !== choices[i + 1]);
  }
  using engine = openEngine({ kind: "cpu", ...WORLD, links: "plain" });
  const routing = { dropless: true };
  using layer = createLayer(engine, { ...SIZES, gate: replayed({ trace: made }), routing });
  assertEquals((await layer.forward({ allToAll: "fast" })).loads, loads.table);
  const few = routingOfLoads(parseLoads("1,0\n0,2\n"), { tokens: 2, topK: 2 });
  assertEquals(Array.from(few.choices(0)), [0, -1, -1, -1]);
  assertEquals(Array.from(few.choices(1)), [1, -1, 1, -1]);
  const fails = (text: string, part: string) =>
    assertThrows(
      () => routingOfLoads(parseLoads(text), { tokens: 2, topK: 1 }),
      SchemoeError,
      part,
    );
  fails("3,0\n", "rank 0 has 3 choices of expert 0, and 2 tokens");
  fails("1,0\n2,1\n", "rank 1 has more choices than 2 tokens of 1 experts");
});

Deno.test("a routing of ranks with different numbers of tokens, none too, is replayed as views of one array", async () => {
  const counts = [6, 0, 3, 8];
  const all = Int32Array.from({ length: 2 * 17 }, (_, i) => (3 * (i >> 1) + (i & 1)) % 8);
  const first = (rank: number) => 2 * counts.slice(0, rank).reduce((a, b) => a + b, 0);
  const uneven = {
    ...{ name: "uneven", ranks: 4, experts: 8, topK: 2 },
    tokens: (rank: number) => counts[rank],
    choices: (rank: number) => all.subarray(first(rank), first(rank) + 2 * counts[rank]),
  };
  const layer = { modelDim: 8, hiddenDim: 16 };
  const ways = { schedulers: ["optSche"], allToAlls: ["pipe", "fast"] };
  for (const kind of ["simulate", "cpu"] as const) {
    using engine = openEngine({ kind, ...WORLD, ...(kind === "cpu" ? { links: "plain" } : {}) });
    assertEquals((await replayRouting(uneven, { engine, layer, ...ways })).length, 2);
    if (kind === "simulate") continue;
    const gate = replayed({ trace: uneven });
    using made = createLayer(engine, {
      ...SIZES,
      tokens: counts,
      gate,
      routing: { dropless: true },
    });
    const run = await made.forward();
    for (let rank = 0; rank < 4; rank++) {
      assertEquals(Array.from(run.routing!.choices(rank)), Array.from(uneven.choices(rank)));
    }
  }
});

Deno.test("replayRouting() runs every scheduler over every all-to-all, simulated and computed", async () => {
  const layer = { modelDim: 8, hiddenDim: 16 };
  const routing = correlatedRouting({
    ranks: 4,
    tokens: 24,
    experts: 8,
    topK: 2,
    nodes: 2,
    locality: 0.5,
  });
  using simulator = openEngine({ kind: "simulate", ...WORLD });
  const rows = await replayRouting(routing, { engine: simulator, layer, choices: { chunks: 2 } });
  const pairs = new Set(rows.map(({ scheduler, allToAll }) => `${scheduler} ${allToAll}`));
  assertEquals(pairs.size, rows.length);
  assert(rows.length >= 9 * 11 && rows.every(({ overBound }) => overBound! >= 1 - 1e-9));
  using engine = openEngine({ kind: "cpu", ...WORLD, links: "plain" });
  const some = { schedulers: ["sequential", "criticalPath"], allToAlls: ["linear", "balanced"] };
  const computed = await replayRouting(routing, { engine, layer, ...some });
  assertEquals(computed.length, 4);
  assert(computed.every(({ forwardMs, backwardMs }) => forwardMs > 0 && backwardMs > 0));
});

Deno.test("recordedRouting() refuses what is no recording of all tokens, and names it", () => {
  const good = {
    name: "a",
    ranks: 2,
    experts: 4,
    topK: 2,
    choices: Int32Array.of(0, 1, 3, 2, 1, 0, -1, -1),
  };
  assertEquals(recordedRouting(good).tokens(1), 2);
  const refused: [unknown, string][] = [
    [undefined, "it is undefined, not an object"],
    [{}, "ranks must be a positive integer, got undefined"],
    [{ ...good, experts: "4" }, 'experts must be a positive integer, got "4"'],
    [{ ...good, choices: [0, 1] }, "choices must be an Int32Array"],
    [{ ...good, choices: Int32Array.of(0, -1, 1, -2) }, "choice 3 is -2; -1 is none"],
    [{ ...good, choices: new Int32Array(6) }, "6 choices are not 2 a token for as many tokens"],
    [{ ...good, rankTokens: [4] }, "rankTokens must be a list of 2 numbers"],
    [{ ...good, rankTokens: [5, -1] }, "rank 1 has -1 tokens"],
    [{ ...good, rankTokens: [1, 2] }, "8 choices are not 2 for each of 3 tokens"],
  ];
  for (const [recording, says] of refused) {
    assertThrows(() => recordedRouting(recording as typeof good), SchemoeError, says);
  }
  assertThrows(
    () => parseMegatronTrace("{}", undefined as never),
    SchemoeError,
    "experts must be a positive integer, got undefined",
  );
});
