import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { memoryPlan } from "../../lib/memory/mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";
import { pack } from "../../lib/program/mod.ts";
import { type Lane, LANES, type Life, type Task, type TaskGraph } from "../../lib/types.ts";
import { backwardGraph, forwardGraph } from "../../lib/graph/mod.ts";
import { createStack, openEngine, SchemoeError, topology } from "../../mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { capacity, resolveLayer } from "../../lib/blocks/mod.ts";
import { capacitySlices } from "../../lib/chunking/mod.ts";
import { linear, pipe } from "../../lib/alltoall/mod.ts";
import { int8, none } from "../../lib/compressors/mod.ts";

const world = topology({ nodes: 1, ranksPerNode: 1 });

/** A graph of tasks, each with its dependencies and buffers. */
function graphOf(
  tasks: readonly { after?: readonly number[]; uses: readonly string[]; lane?: Lane }[],
  life: Life = "pass",
  bytes: (name: string) => number = () => 1000,
) {
  const g = new GraphBuilder(world, "forward", 0);
  for (const name of new Set(tasks.flatMap(({ uses }) => uses))) g.buffer(name, bytes(name), life);
  const added: Task[] = [];
  for (const [i, { after = [], uses, lane }] of tasks.entries()) {
    added.push(g.add({
      kind: "opaque",
      label: `t${i}`,
      chunk: -1,
      stage: i,
      uses,
      lane,
      after: after.map((id) => added[id]),
    }));
  }
  return inOrder(g.build({}));
}

const inOrder = (graph: TaskGraph) => buildProgram(graph, graph.tasks, "in order");

const overlaps = (plan: ReturnType<typeof memoryPlan>, a: string, b: string) =>
  Math.abs(plan.offsets.get(a)! - plan.offsets.get(b)!) < 1000;

Deno.test("memoryPlan() lays buffers over each other that a Program keeps apart", () => {
  const chain = graphOf([{ uses: ["a"] }, { after: [0], uses: ["a", "b"] }, {
    after: [1],
    uses: ["c"],
  }]);
  const plan = memoryPlan(chain);
  assert(!overlaps(plan, "a", "b"), "both are used by one task");
  assert(overlaps(plan, "a", "c"));
  assertEquals([plan.arena, plan.apart, plan.floor], [2048, 3072, 2048]);
});

Deno.test("memoryPlan() keeps apart what no edge orders, and what is needed after the pass", () => {
  const parallel = memoryPlan(graphOf([{ uses: ["a"] }, { uses: ["b"], lane: "inter" }]));
  assert(!overlaps(parallel, "a", "b"));
  const oneLane = memoryPlan(graphOf([{ uses: ["a"] }, { uses: ["b"] }]));
  assert(overlaps(oneLane, "a", "b"));
  const kept = memoryPlan(graphOf([{ uses: ["a"] }, { after: [0], uses: ["b"] }], "saved"));
  assertEquals([kept.arena, kept.own], [0, { a: 1000, b: 1000 }]);
});

Deno.test("memoryPlan() shares nothing where a task does not say what it uses", () => {
  const g = new GraphBuilder(world, "forward", 0);
  g.buffer("a", 8, "pass");
  g.add({ kind: "opaque", label: "t", chunk: -1, stage: 0, after: [], kernels: () => [] });
  assertEquals(memoryPlan(inOrder(g.build({}))).own, { a: 8 });
});

Deno.test("memoryPlan() gives no two buffers the same bytes unless all users of one precede the other's", () => {
  let state = 7;
  const random = (n: number) => (state = (state * 48271) % 2147483647) % n;
  for (let round = 0; round < 100; round++) {
    const count = 3 + random(12);
    const tasks = Array.from({ length: count }, (_, i) => ({
      after: Array.from({ length: i ? random(3) : 0 }, () => random(i)),
      uses: Array.from({ length: 1 + random(3) }, () => `b${random(8)}`),
      lane: LANES[random(3)],
    }));
    const program = graphOf(tasks, "pass", (name) => 256 * (1 + Number(name.slice(1)) % 4));
    const plan = memoryPlan(program);
    const { graph } = program;
    const before = (b: number) =>
      graph.tasks.filter(({ id, lane }) =>
        graph.tasks[b].after.includes(id) || (id < b && lane === graph.tasks[b].lane)
      ).map(({ id }) => id);
    const precedes = (a: number, b: number): boolean =>
      before(b).some((id) => id === a || (id > a && precedes(a, id)));
    const users = (name: string) => tasks.flatMap(({ uses }, i) => uses.includes(name) ? [i] : []);
    for (const [a, from] of plan.offsets) {
      for (const [b, other] of plan.offsets) {
        if (a >= b || from >= other + graph.buffers[b] || other >= from + graph.buffers[a]) {
          continue;
        }
        const [ua, ub] = [users(a), users(b)];
        const apart = ua.every((x) => ub.every((y) => precedes(x, y))) ||
          ub.every((x) => ua.every((y) => precedes(x, y)));
        assert(apart, `${a} and ${b} of ${JSON.stringify(tasks)}`);
      }
    }
    assertLess(plan.floor, plan.arena + 1);
  }
});

Deno.test("tasks of both passes declare all buffers that their kernels and transfers name", () => {
  const ranked = topology({ nodes: 2, ranksPerNode: 2 });
  const layer = resolveLayer(
    { tokens: 16, modelDim: 8, hiddenDim: 8, experts: 8 },
    ranked,
  );
  const places = capacity(layer, 0);
  for (const chunks of [1, 2]) {
    for (const compressor of [none, int8]) {
      const split = capacitySlices(chunks).split({ capacity: places, topology: ranked });
      const pass = {
        layer,
        capacity: places,
        chunks: split,
        allToAll: pipe,
        configuration: {},
        compressor: { dispatch: compressor, combine: compressor },
      };
      const graphs = [
        forwardGraph({ ...pass, gate: true }),
        backwardGraph({ ...pass, allToAll: linear, forwardChunks: split }),
      ];
      for (const graph of graphs) {
        const named = new Set<string>();
        const place = (name: string) => {
          named.add(name);
          return { id: 0 };
        };
        pack(buildProgram(graph, graph.tasks, "test"), { place, seconds: () => 0 });
        assertEquals([...named].filter((name) => !(name in graph.buffers)), []);
      }
    }
  }
});

Deno.test("pack() refuses a kernel that names a buffer which its task does not declare", () => {
  const g = new GraphBuilder(world, "forward", 0);
  const [a, b] = [g.buffer("a", 8), g.buffer("b", 8)];
  const kernels = () => [{ name: "copy_bytes", args: [8, a, b] }];
  g.add({ kind: "opaque", label: "t", chunk: -1, stage: 0, after: [], uses: [a], kernels });
  const graph = g.build({});
  const program = buildProgram(graph, graph.tasks, "test");
  assertThrows(
    () => pack(program, { place: () => ({ id: 0 }), seconds: () => 0 }),
    SchemoeError,
    'does not declare that it uses the buffer "b", in task t on rank 0',
  );
});

Deno.test("a stack's buffers within a pass take little more than those of one layer", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const layer = { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 4 };
  const arenas: number[] = [];
  for (const layers of [1, 8]) {
    using stack = createStack(engine, { layer, layers });
    const { ran } = await stack.forward({ chunks: 2 });
    arenas.push(memoryPlan(ran[0].program).arena);
  }
  assertLess(arenas[1], 1.5 * arenas[0]);
});
