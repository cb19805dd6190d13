import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  type AllToAll,
  balanced,
  fast,
  linear,
  matchings,
  pipe,
  rails,
  SchemoeError,
  testbed,
  type Topology,
  topology,
} from "../../mod.ts";
import {
  allToAllBound,
  allToAllBounds,
  copy,
  input,
  output,
  proveAllToAll,
  receive,
  scratch,
  send,
  type TrafficMatrix,
} from "../../lib/alltoall/mod.ts";
import { loadsOf, parseTrafficMatrix, trafficOfLoads, zipfRouting } from "../../lib/routing/mod.ts";
import { compareAllToAlls } from "../../lib/studies/mod.ts";
import { unevenExchange } from "../../lib/studies/balancing/exchange.ts";
import { uniforms } from "../../lib/random.ts";

const PLANNED = [balanced, rails, fast, matchings];

/** Random bytes, some pairs without any, some ranks hot. */
function randomTraffic(ranks: number, seed: number): TrafficMatrix {
  const uniform = uniforms(seed);
  const table = Float64Array.from(
    { length: ranks * ranks },
    () => uniform() < 0.2 ? 0 : Math.floor(4000 * uniform() ** 4) + 1,
  );
  return { ranks, bytes: (source, destination) => table[source * ranks + destination] };
}

/** Runs the transfers of a graph byte by byte, phase after phase; fails where a byte is not in its place. */
function assertDelivers(world: Topology, algorithm: AllToAll, traffic: TrafficMatrix): void {
  const { ranks } = world;
  const graph = unevenExchange(world, algorithm, traffic);
  const name = (source: number, destination: number, byte: number) =>
    (source * ranks + destination) * 8192 + byte;
  const all = Array.from({ length: ranks }, (_, rank) => rank);
  const buffers = all.map((rank) => ({
    input: all.flatMap((to) =>
      Array.from({ length: traffic.bytes(rank, to) }, (_, byte) => name(rank, to, byte))
    ),
    output: [] as number[],
    scratch: [] as number[],
  })) as Record<string, number[]>[];
  for (const task of graph.tasks) {
    const mail = new Map<string, number[][]>();
    for (const rank of all) {
      for (const { kind, peer, bytes, from } of task.transfers!(rank)) {
        if (kind !== "send") continue;
        const key = `${rank} ${peer}`;
        const data = buffers[rank][from!.buffer].slice(from!.offset, from!.offset + bytes);
        mail.set(key, [...mail.get(key) ?? [], data]);
      }
    }
    for (const rank of all) {
      for (const { kind, peer, bytes, from, to } of task.transfers!(rank)) {
        if (kind === "send") continue;
        const data = kind === "receive"
          ? mail.get(`${peer} ${rank}`)!.shift()!
          : buffers[rank][from!.buffer].slice(from!.offset, from!.offset + bytes);
        assertEquals(data.length, bytes);
        data.forEach((byte, i) => buffers[rank][to!.buffer][to!.offset + i] = byte);
      }
    }
    assertEquals([...mail.values()].flat(), []);
  }
  for (const rank of all) {
    const expected = all.flatMap((from) =>
      Array.from({ length: traffic.bytes(from, rank) }, (_, byte) => name(from, rank, byte))
    );
    assertEquals(buffers[rank].output, expected, `${algorithm.name} rank ${rank}`);
  }
}

Deno.test("planned all-to-alls are proven for random traffic and bring every byte to its place", () => {
  for (const algorithm of PLANNED) {
    let seed = 0;
    for (const [nodes, ranksPerNode] of [[1, 3], [2, 1], [2, 2], [3, 2], [2, 4], [4, 3]]) {
      const world = topology({ nodes, ranksPerNode });
      const traffic = randomTraffic(world.ranks, ++seed);
      assertEquals(proveAllToAll(algorithm, world, traffic).ranks, world.ranks);
      assertDelivers(world, algorithm, traffic);
    }
  }
});

Deno.test("parts of slices are proven: a part that is missing or misplaced is named", () => {
  const world = topology({ nodes: 1, ranksPerNode: 2 });
  const halves = (edit: (rank: number) => number): AllToAll => ({
    name: "halves",
    parts: 2,
    plan: ({ rank }) => [{
      lane: "intra",
      steps: [
        copy(input(rank), output(rank)),
        ...[[0, 1], [edit(rank), 2]].flatMap((part) => [
          { ...send(input(1 - rank), 1 - rank), part: part as [number, number] },
          { ...receive(output(1 - rank), 1 - rank), part: part as [number, number] },
        ]),
      ],
    }],
  });
  assertEquals(proveAllToAll(halves(() => 1), world).moves, 8);
  const fails = (algorithm: AllToAll, part: string) =>
    assertThrows(() => proveAllToAll(algorithm, world), SchemoeError, part);
  fails(halves((rank) => rank), "rank 0 receives part 0,2 of a slice from rank 1");
  // the first half twice in no order, though with the same bytes
  fails(halves(() => 0), 'rank 0 receives slice 1 twice in phase "intra", in no order');
  fails({ ...halves(() => 1), parts: 1 }, "moves the part 1,2 of 1");
  const short: AllToAll = {
    ...halves(() => 1),
    plan: ({ rank }) => [{
      lane: "intra",
      steps: halves(() => 1).plan({ rank, topology: world })[0].steps.slice(0, 3),
    }],
  };
  fails(short, "never writes slice 1 of its output");
  const many: AllToAll = {
    name: "many",
    parts: 2,
    plan: () => [{
      lane: "intra",
      steps: [{ ...copy(input(0, 2), scratch(0, 2)), part: [0, 1] }],
    }],
  };
  fails(many, "moves a part of 2 slices");
});

Deno.test("allToAllBounds() are the loads of ranks, nodes and leaves over their links", () => {
  const links = { inter: { alpha: 0.5, beta: 1 }, intra: { alpha: 0, beta: 0.25 } };
  const processor = { alpha: 0, flopRate: 1, byteRate: 1 };
  const world = topology({
    nodes: 2,
    ranksPerNode: 2,
    ...links,
    processor,
    spine: { oversubscription: 4 },
  });
  // rank 0 sends 8 to rank 2 and 4 to rank 1; rank 3 sends 2 to rank 0
  const table: Record<string, number> = { "0 2": 8, "0 1": 4, "3 0": 2 };
  const traffic = { ranks: 4, bytes: (a: number, b: number) => table[`${a} ${b}`] ?? 0 };
  const bounds = Object.fromEntries(
    allToAllBounds(world, traffic).map(({ name, seconds, where }) => [name, [seconds, where]]),
  );
  assertEquals(bounds["rank directly"], [8, "rank 0 sends"]);
  assertEquals(bounds.node, [4, "node 0 sends"]);
  assertAlmostEquals(bounds.rank[0] as number, 8 / (1 + 4));
  assertEquals(bounds.inside, [1, "rank 0 sends"]);
  // both links of the node at a quarter: half a byte each second
  assertEquals(bounds.spine, [16, "leaf 0 sends"]);
  assertEquals(bounds["start-up"], [0.5, "one message"]);
  assertEquals(allToAllBound(world, traffic), 16);
});

Deno.test("balancing meets the bound of the node where direct sending meets that of the rank", () => {
  const { topology: world } = testbed("h200-ib400", { nodes: 8, ranksPerNode: 8 });
  const loads = loadsOf(
    zipfRouting({ ranks: 64, tokens: 4096, experts: 256, topK: 8, exponent: 1, seed: 2 }),
  );
  const traffic = trafficOfLoads(loads, 2 * 4096);
  const bound = allToAllBound(world, traffic);
  const { rows } = compareAllToAlls(world, traffic, [linear, pipe, ...PLANNED]);
  const times = Object.fromEntries(rows.map(({ allToAll, seconds }) => [allToAll, seconds]));
  for (const time of Object.values(times)) assert(time >= bound);
  const direct = allToAllBounds(world, traffic).find(({ name }) => name === "rank directly")!;
  assert(times.pipe >= direct.seconds && direct.seconds > 1.2 * bound);
  assert(times.pipe <= times.linear && times.pipe <= times.matchings * (1 + 1e-9));
  for (const name of ["balanced", "rails", "fast"]) {
    assert(times[name] < 0.95 * times.pipe, `${name} ${JSON.stringify(times)}, bound ${bound}`);
  }
});

Deno.test("compareAllToAlls() gives times, phases and what planning costs, and refuses another world", () => {
  const world = topology({ nodes: 2, ranksPerNode: 2 });
  const { rows, bounds, bound } = compareAllToAlls(world, randomTraffic(4, 5));
  assertEquals(rows.map(({ allToAll }) => allToAll).slice(0, 2), ["linear", "pipe"]);
  for (const { seconds, overBound, phases, planningMs } of rows) {
    assert(seconds >= bound && phases >= 1 && planningMs >= 0);
    assertAlmostEquals(overBound, seconds / bound, 1e-12);
  }
  assert(bounds.length >= 4);
  assertThrows(() => compareAllToAlls(world, randomTraffic(6, 5)), SchemoeError, "of 6 ranks");
  assertThrows(() => compareAllToAlls(world, randomTraffic(4, 5), ["lin"]), SchemoeError, '"lin"');
});

Deno.test("parseTrafficMatrix() reads matrix files of nccl-tests", () => {
  const traffic = parseTrafficMatrix("0,0,0,0\n1,1,1,1\n1,1,1,1\n1,0.25,1,1\n", { scale: 1024 });
  assertEquals([traffic.ranks, traffic.bytes(0, 1), traffic.bytes(3, 1)], [4, 0, 256]);
  assertThrows(() => parseTrafficMatrix("1,2\n3\n"), SchemoeError, "line 2 has 1 numbers");
});
