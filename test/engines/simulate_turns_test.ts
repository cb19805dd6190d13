import { assertEquals } from "@std/assert";
import { linear, type Task, type Topology, topology } from "../../mod.ts";
import { simulate } from "../../lib/engines/mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";

/** Ranks on one processor that runs them in turns; work and transfers take a second for each operation. */
const world = (turns: NonNullable<Topology["sharing"]>["turns"], ranks = 3, capacity = 1) =>
  topology({
    nodes: 1,
    ranksPerNode: ranks,
    sharing: { of: Array.from({ length: ranks }, () => 0), capacity: [capacity], turns },
  });
const lane = "intra" as const;
const run = (
  on: Topology,
  make: (g: GraphBuilder) => void,
  { launch = 0, transfer = 1, width }: {
    launch?: number;
    transfer?: number;
    width?: (task: Task, rank: number) => number;
  } = {},
) => {
  const g = new GraphBuilder(on, "forward", 1);
  make(g);
  const graph = g.build({});
  const program = buildProgram(graph, graph.tasks, "test");
  const each = { begin: launch, next: launch, wait: launch };
  const costs = {
    source: "test",
    launch: { compute: each, transfer: each },
    seconds: (task: Task, rank = 0) =>
      task.transfers ? transfer : task.rankFlops?.(rank) ?? task.flops,
    ...(width ? { width } : {}),
  };
  const { start, end, wait } = simulate(program, on, { costs });
  const rounded = (times: Float64Array) => [...times].map((t) => Math.round(t * 1e-6) / 1e3);
  return { start: rounded(start), end: rounded(end), wait: rounded(wait) };
};
const compute = (g: GraphBuilder, label: string, flops: number, after: Task[] = []) =>
  g.add({ kind: "opaque", label, chunk: -1, stage: 0, after, flops });
const exchange = (g: GraphBuilder, after: Task[]) =>
  g.allToAll({
    label: "A",
    chunk: 0,
    stage: 1,
    after,
    algorithm: linear,
    sliceBytes: 4,
    scratch: "s",
    input: { buffer: "i", offset: 0 },
    output: { buffer: "o", offset: 0 },
  });

Deno.test("simulate() runs what waits for a processor in the order of arrival", () => {
  const { start, end } = run(world({ slice: 100 }), (g) => compute(g, "work", 4));
  assertEquals([start, end], [[0, 4, 8], [4, 8, 12]]);
});

Deno.test("simulate() gives each lane a slice of a processor in turn", () => {
  const { start, end } = run(world({ slice: 3 }), (g) => compute(g, "work", 4));
  // 3 s each, then what is left
  assertEquals([start, end], [[0, 3, 6], [10, 11, 12]]);
});

Deno.test("simulate() takes a processor from a lane whose slice is over when another one comes", () => {
  const { start, end } = run(world({ slice: 3 }, 1), (g) => {
    compute(g, "long", 10);
    const [posted] = exchange(g, []);
    g.add({ kind: "opaque", label: "apart", chunk: -1, stage: 2, after: [posted], flops: 2, lane });
  }, { transfer: 5 });
  // its slice ended at 3 s with nobody there
  assertEquals([start, end], [[0, 0, 5], [12, 5, 7]]);
});

Deno.test("simulate() lets a lane go on with its next task while its slice lasts", () => {
  const { start } = run(world({ slice: 100 }, 2), (g) => {
    const first = compute(g, "first", 2);
    compute(g, "second", 2, [first]);
  });
  // position after position, rank after rank
  assertEquals(start, [0, 4, 2, 6]);
});

Deno.test("simulate() slows lanes down where all processors are busy and do less than they would alone", () => {
  const { start, end } = run(world({ slice: 100 }, 3, 1.5), (g) => compute(g, "work", 3));
  // two at 3/4 of their speed, then one
  assertEquals([start, end], [[0, 0, 4], [4, 4, 7]]);
});

Deno.test("simulate() keeps no processor for a lane that waits for its peers", () => {
  const on = world({ slice: 100, transfers: "inTurn" });
  const { start, end, wait } = run(on, (g) => exchange(g, [compute(g, "work", 4)]));
  // each posts in no time after its work and lets the next one compute; the last one goes on, then the others
  assertEquals(start.slice(0, 3), [0, 4, 8]);
  assertEquals(wait.slice(3).toSorted((a, b) => b - a)[2], 0);
  assertEquals(end.slice(3).toSorted((a, b) => a - b), [13, 14, 15]);
  // without need of a processor all take their second at once
  const apart = run(world({ slice: 100 }), (g) => exchange(g, [compute(g, "work", 4)]));
  assertEquals(apart.end.slice(3), [13, 13, 13]);
});

Deno.test("simulate() stops computation for transfers that go first, which then goes on before others", () => {
  const make = (g: GraphBuilder) => {
    const work = compute(g, "work", 4);
    exchange(g, [work]);
    compute(g, "more", 10, [work]);
  };
  const inTurn = run(world({ slice: 100, transfers: "inTurn" }, 1), make);
  assertEquals([inTurn.start, inTurn.end], [[0, 14, 4], [4, 15, 14]]);
  const first = run(world({ slice: 100, transfers: "first" }, 1), make);
  assertEquals([first.start, first.end], [[0, 4, 5], [4, 5, 15]]);
  // of two ranks the second computes when the first one's transfer comes, and is not behind its next task
  const two = run(world({ slice: 100, transfers: "first" }, 2), (g) => {
    const [work, long] = [compute(g, "work", 1), compute(g, "long", 8)];
    g.add({ kind: "opaque", label: "apart", chunk: -1, stage: 2, after: [work], flops: 2, lane });
    compute(g, "last", 1, [long]);
  });
  assertEquals(Math.max(...two.end), 24);
});

Deno.test("simulate() runs tasks of a queue one after another, which have begun when they are ready", () => {
  const { start, end } = run(world({ transfers: "inTurn" }, 2), (g) => {
    const work = compute(g, "work", 4);
    exchange(g, [work]);
    compute(g, "more", 10, [work]);
  });
  // work of both; then rank 0's second task, since its peer was not there; that of rank 1 with both transfers between
  assertEquals(start, [0, 0, 4, 8, 4, 8]);
  assertEquals(end, [4, 8, 19, 20, 18, 30]);
});

Deno.test("simulate() runs small tasks of a queue beside each other, a large one before those that came later", () => {
  const width = ({ label }: Task) => label === "small" ? 0.5 : 1;
  const on = world({ transfers: "inTurn" }, 3);
  const small = run(on, (g) => compute(g, "small", 4), { width });
  // two halves, then the third
  assertEquals([small.start, small.end], [[0, 0, 0], [4, 4, 8]]);
  const both = run(on, (g) => compute(g, "large", 4, [compute(g, "small", 1)]), { width });
  // a large one has what a small one before it leaves: half for the third second, and all from then on
  assertEquals(both.end, [1, 1, 2, 5.5, 9.5, 13.5]);
});

Deno.test("simulate() puts each kernel of a task behind what came meanwhile", () => {
  const kernels = (count: number) => () =>
    Array.from({ length: count }, () => ({ name: "test", args: [] }));
  const task = (count: number) => (g: GraphBuilder) =>
    void g.add({
      ...{ kind: "opaque", label: "work", chunk: -1, stage: 0, after: [], flops: 4 },
      kernels: kernels(count),
    });
  const on = world({ transfers: "inTurn" }, 2);
  assertEquals(run(on, task(1)).end, [4, 8]);
  assertEquals(run(on, task(2)).end, [6, 8]);
  assertEquals(run(on, task(4)).end, [7, 8]);
  // threads go on with theirs
  assertEquals(run(world({ slice: 100 }, 2), task(2)).end, [4, 8]);
});

Deno.test("simulate() runs more lanes at once than at full speed, each slower", () => {
  const { start, end } = run(world({ slice: 100, count: 3 }, 3, 1.5), (g) => compute(g, "work", 3));
  assertEquals([start, end], [[0, 0, 0], [6, 6, 6]]);
});

Deno.test("simulate() counts what passes before a task begins apart from its wait for a processor", () => {
  const { start } = run(world({ slice: 100 }), (g) => compute(g, "work", 4), { launch: 1 });
  assertEquals(start, [1, 5, 9]);
});
