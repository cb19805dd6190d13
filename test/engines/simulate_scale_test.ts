import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  type AllToAll,
  createLayer,
  linear,
  SchemoeError,
  sharedProcessor,
  topology,
} from "../../mod.ts";
import { type EventTable, openSimulator, simulate } from "../../lib/engines/mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { copy, input, output } from "../../lib/alltoall/mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";
import { lowerBound, modelCosts } from "../../lib/costs/mod.ts";
import { everyRank } from "../../lib/engines/simulate/columns.ts";
import { simulateFluid } from "../../lib/engines/simulate/fluid.ts";
import { simulateInOrder } from "../../lib/engines/simulate/in_order.ts";
import { makeInstance } from "../../lib/engines/simulate/instance.ts";
import { uniforms } from "../../lib/random.ts";
import { algorithmsFor, allToAll, passes, randomWorld } from "./simulate_worlds.ts";

const WORLDS = [[1, 1], [1, 3], [2, 2], [3, 2], [4, 4], [2, 8]];
const makespan = ({ end }: EventTable) => end.reduce((a, b) => Math.max(a, b), 0);

Deno.test("simulate() in order equals the simulation by events, bit for bit, with stragglers", () => {
  for (const [seed, [nodes, ranksPerNode]] of WORLDS.entries()) {
    const world = randomWorld(seed, { nodes, ranksPerNode, speeds: true });
    for (const algorithm of algorithmsFor(world)) {
      for (const overlap of [true, false]) {
        for (const program of passes(world, algorithm, { overlap })) {
          const instance = makeInstance(program, world, everyRank(world));
          assertEquals(simulateInOrder(instance), simulateFluid(instance), algorithm.name);
        }
      }
    }
  }
});

Deno.test("simulate() in order equals the simulation by events for random times of each operation", () => {
  const random = uniforms(5);
  for (let instances = 0; instances < 40; instances++) {
    const world = randomWorld(instances, { nodes: 2, ranksPerNode: 3 });
    const names = algorithmsFor(world);
    const [program] = passes(world, names[instances % names.length], { chunks: 3 });
    const table = new Map(program.order.map((task) => [task, Array.from({ length: 6 }, random)]));
    const costs = {
      source: "random",
      seconds: (task: typeof program.order[0], rank = 0) => table.get(task)![rank],
    };
    const instance = makeInstance(program, world, everyRank(world), costs);
    assertEquals(simulateInOrder(instance), simulateFluid(instance));
  }
});

Deno.test("simulate() with representatives equals the full simulation, every built-in all-to-all", () => {
  for (const [seed, [nodes, ranksPerNode]] of [...WORLDS, [8, 2], [5, 3], [16, 4]].entries()) {
    const world = randomWorld(seed, { nodes, ranksPerNode });
    for (const algorithm of algorithmsFor(world)) {
      for (const program of passes(world, algorithm)) {
        const full = simulate(program, world);
        const some = simulate(program, world, { representatives: true });
        for (const name of ["ready", "start", "end", "wait"] as const) {
          for (let at = 0; at < full.end.length; at++) {
            const like = full.position[at] * ranksPerNode + full.rank[at] % ranksPerNode;
            assertEquals(full[name][at], some[name][like], `${algorithm.name} ${name}`);
          }
        }
      }
    }
  }
});

Deno.test("simulate() with representatives equals the full one with shared cards and contention", () => {
  for (const [seed, [nodes, ranksPerNode]] of [[2, 2], [3, 3], [4, 2]].entries()) {
    const plain = randomWorld(seed, { nodes, ranksPerNode });
    const contention = { compute: 1.3, communication: 1.2 };
    for (const world of [{ ...plain, nic: { beta: 3e-9 } }, { ...plain, contention }]) {
      for (const algorithm of algorithmsFor(world)) {
        const [program] = passes(world, algorithm);
        const full = simulate(program, world);
        const some = simulate(program, world, { representatives: true });
        for (let at = 0; at < full.end.length; at++) {
          const like = full.position[at] * ranksPerNode + full.rank[at] % ranksPerNode;
          assertAlmostEquals(full.end[at], some.end[like], 1e-9 * full.end[at], algorithm.name);
        }
      }
    }
  }
});

Deno.test("simulate() refuses representatives for nodes that do not do the same", () => {
  const world = topology({ nodes: 3, ranksPerNode: 2 });
  const uneven: AllToAll = {
    name: "uneven",
    plan: ({ rank, topology }) => [
      { lane: "inter", steps: linear.plan({ rank, topology })[0].steps },
      { name: "again", lane: "intra", steps: rank === 4 ? [copy(input(4), output(4))] : [] },
    ],
  };
  const [program] = passes(world, uneven);
  assertThrows(
    () => simulate(program, world, { representatives: true }),
    SchemoeError,
    "in task A1[0] again rank 4 moves something else than rank 0",
  );
});

Deno.test("simulate() lets a slow rank delay its peers", () => {
  const speed = [1, 1, 0.5, 1];
  const of = (given?: number[]) => {
    const world = topology({ nodes: 2, ranksPerNode: 2, speed: given });
    const [program] = passes(world, allToAll("linear"), { chunks: 1 });
    return { program, events: simulate(program, world) };
  };
  const { program, events } = of(speed);
  const expert = program.order.findIndex(({ label }) => label === "E");
  const even = of().events;
  const at = (rank: number) => events.end[expert * 4 + rank] - events.start[expert * 4 + rank];
  assertAlmostEquals(at(2), 2 * at(0), 1e-6);
  assert(makespan(events) > makespan(even));
  const a2 = program.order.findIndex(({ label }) => label === "A2");
  assert(events.wait[a2 * 4] > 0 && events.wait[a2 * 4 + 2] === 0);
});

Deno.test("bounds from times alone stay below every makespan with shared cards and contention", () => {
  for (let seed = 0; seed < 60; seed++) {
    const random = uniforms(seed);
    const plain = randomWorld(seed, { nodes: 2, ranksPerNode: 3, speeds: seed % 2 > 0 });
    const slowed = {
      ...plain,
      nic: seed % 3 ? { beta: random() * 8e-9 } : undefined,
      contention: seed % 4 ? { compute: 1 + random(), communication: 1 + random() } : undefined,
    };
    const world = seed % 5 ? slowed : sharedProcessor(slowed, 2);
    const names = algorithmsFor(world);
    for (const program of passes(world, names[seed % names.length])) {
      const bound = lowerBound(program.graph, modelCosts(world)).seconds;
      const time = makespan(simulate(program, world)) * 1e-9;
      assert(bound <= time * (1 + 1e-9), `seed ${seed}: bound ${bound}, makespan ${time}`);
      assert(time >= makespan(simulate(program, { ...plain, nic: undefined })) * 1e-9 * (1 - 1e-9));
    }
  }
});

Deno.test("openSimulator() names what is wrong in a topology, a Program or a cost", () => {
  const world = topology({ nodes: 2, ranksPerNode: 2 });
  const [program] = passes(world, allToAll("pipe"));
  const fails = (run: () => unknown, ...parts: string[]) =>
    parts.forEach((part) => assertThrows(run, SchemoeError, part));
  fails(() => topology({ nodes: 1, ranksPerNode: 2, speed: [1] }), "speed", "2 ranks", "got 1");
  fails(() => topology({ nodes: 1, ranksPerNode: 2, speed: [1, NaN] }), "speed[1]", "NaN");
  fails(() => topology({ nodes: 1, ranksPerNode: 2, speed: [1, -1] }), "speed[1]", "-1");
  fails(() => topology({ nodes: 1, ranksPerNode: 2, nic: { beta: -1 } }), "nic.beta", "-1");
  fails(
    () => topology({ nodes: 1, ranksPerNode: 2, contention: { compute: 0.5 } }),
    "contention.compute",
  );
  fails(
    () => topology({ nodes: 1, ranksPerNode: 2, contention: { compte: 2 } as never }),
    "contention.compte",
  );
  fails(() => openSimulator({ ...world, speed: [1, 0, 1, 1] }), "speed[1]");
  fails(
    () => simulate(program, topology({ nodes: 1, ranksPerNode: 4 })),
    "for 2 x 2 ranks",
    "has 1 x 4",
  );
  const seconds = (value: number) => ({ costs: { source: "test", seconds: () => value } });
  fails(() => simulate(program, world, seconds(NaN)), "gate costs NaN s on rank 0");
  fails(() => simulate(program, world, seconds(-1)), "gate costs -1 s on rank 0");
  fails(
    () => simulate(program, world, { costs: { source: "", seconds: () => undefined as never } }),
    "gate costs NaN",
  );
  const representatives = { representatives: true };
  fails(() => openSimulator(sharedProcessor(world, 1), representatives), "share processors");
  fails(
    () => openSimulator({ ...world, speed: [1, 1, 1, 2] }, representatives),
    "rank 3 has speed 2",
  );
});

/** One phase in which the first ranks of node 0 send to node 1, each `bytes` bytes, after `work` flops. */
function sending(bytes: readonly number[], nic?: { beta: number }) {
  const world = topology({
    nodes: 2,
    ranksPerNode: 2,
    nic,
    inter: { alpha: 1, beta: 1 },
    intra: { alpha: 0, beta: 0 },
    processor: { alpha: 0, flopRate: 1, byteRate: 1 },
  });
  const g = new GraphBuilder(world, "forward", 1);
  g.add({
    kind: "allToAll",
    label: "A",
    chunk: 0,
    stage: 0,
    after: [],
    lane: "inter",
    transfers: (rank) =>
      bytes[rank % 2]
        ? [{ kind: rank < 2 ? "send" : "receive", peer: (rank + 2) % 4, bytes: bytes[rank % 2] }]
        : [],
  });
  const graph = g.build({});
  const { end } = simulate(buildProgram(graph, graph.tasks, "test"), world);
  return [...end].map((time) => Math.round(time) * 1e-9);
}

Deno.test("simulate() shares the network card of a node fairly among its senders", () => {
  assertEquals(sending([4, 2]), [5, 3, 5, 3]);
  // as fast as one link: start-up 1 s, both at half speed until 2 bytes went (4 s), then one alone
  assertEquals(sending([4, 2], { beta: 1 }), [7, 5, 5, 3]);
  // as fast as both links together
  assertEquals(sending([4, 2], { beta: 0.5 }), [5, 3, 5, 3]);
  // slower than a link: 2 s a byte alone
  assertEquals(sending([4, 0], { beta: 2 }), [9, 0, 5, 0]);
});

Deno.test("simulate() slows computation and transfers of a rank that run together", () => {
  const contended = (contention?: { compute?: number; communication?: number }) => {
    const world = topology({
      nodes: 1,
      ranksPerNode: 1,
      contention,
      local: { beta: 1 },
      processor: { alpha: 0, flopRate: 1, byteRate: 1 },
    });
    const g = new GraphBuilder(world, "forward", 1);
    g.add({ kind: "expert", label: "E", chunk: 0, stage: 0, after: [], flops: 6 });
    g.add({
      kind: "allToAll",
      label: "A",
      chunk: 0,
      stage: 1,
      after: [],
      lane: "intra",
      transfers: (rank) => [{ kind: "copy", peer: rank, bytes: 2 }],
    });
    const graph = g.build({});
    const { end } = simulate(buildProgram(graph, graph.tasks, "test"), world);
    return [...end].map((time) => Math.round(time) * 1e-9);
  };
  assertEquals(contended(), [6, 2]);
  // half speed for the 2 s of the transfer: 1 of 6 s done
  assertEquals(contended({ compute: 2 }), [7, 2]);
  // the transfer takes 4 s, in which half of 4 s is computed
  assertEquals(contended({ compute: 2, communication: 2 }), [8, 4]);
});

Deno.test("a layer refuses what would not fit into memory before it prices it, and one node for all does it", async () => {
  const config = {
    tokens: 8192,
    modelDim: 8,
    hiddenDim: 8,
    experts: 4096,
    routing: { capacityFactor: 2 },
  };
  const sizes = { nodes: 512, ranksPerNode: 8 };
  const choices = { allToAll: "pairwise", chunks: 4 };
  const full = openSimulator(topology(sizes));
  const error = await assertRejects(() => createLayer(full, config).forward(choices), SchemoeError);
  for (const part of ["32,783 tasks on 4,096 ranks", "134,279,168 operations", "representatives"]) {
    assertStringIncludes(error.message, part);
  }
  const one = openSimulator(topology(sizes), { representatives: true });
  const run = await createLayer(one, config).forward({ ...choices, chunks: 1, bound: false });
  assertEquals(run.ran[0].events.end.length, 8 * run.ran[0].program.order.length);
});
