import { assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  linear,
  openEngine,
  pipe,
  SchemoeError,
  sharedProcessor,
  type Task,
  type Topology,
  topology,
} from "../../mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";
import { simulate } from "../../lib/engines/mod.ts";

const clean = { alpha: 0, flopRate: 1, byteRate: 1 };
const world = (nodes: number, ranksPerNode: number) =>
  topology({
    nodes,
    ranksPerNode,
    processor: clean,
    intra: { alpha: 1, beta: 0.5 },
    inter: { alpha: 2, beta: 1 },
    local: { beta: 0.25 },
  });

const run = (on: Topology, make: (g: GraphBuilder) => void) => {
  const g = new GraphBuilder(on, "forward", 1);
  make(g);
  const graph = g.build({});
  return simulate(buildProgram(graph, graph.tasks, "test"), on);
};
const compute = (g: GraphBuilder, label: string, flops: number, after: Task[] = []) =>
  g.add({ kind: "opaque", label, chunk: -1, stage: 0, after, flops });
const exchange = (
  g: GraphBuilder,
  algorithm: typeof linear,
  sliceBytes: number,
  after: Task[] = [],
) =>
  g.allToAll({
    label: "A",
    chunk: 0,
    stage: 1,
    after,
    algorithm,
    sliceBytes,
    scratch: "s",
    input: { buffer: "i", offset: 0 },
    output: { buffer: "o", offset: 0 },
  });
const seconds = (values: Float64Array) => [...values].map((value) => value * 1e-9);

Deno.test("simulate() takes the sum of a rank's sends for linear, the larger of both lanes for pipe", () => {
  // 2 x 2 ranks, 4 bytes a slice: itself 1 s, inside 1 + 2 s, two between of 2 + 4 s
  assertEquals(seconds(run(world(2, 2), (g) => exchange(g, linear, 4)).end), [16, 16, 16, 16]);
  assertEquals(seconds(run(world(2, 2), (g) => exchange(g, pipe, 4)).end), [
    4,
    4,
    4,
    4,
    12,
    12,
    12,
    12,
  ]);
});

Deno.test("simulate() records waiting for a late peer apart", () => {
  const late = run(world(1, 2), (g) => {
    const work = g.add({
      kind: "opaque",
      label: "w",
      chunk: -1,
      stage: 0,
      after: [],
      flops: 0,
      lane: "compute",
    });
    g.add({
      kind: "allToAll",
      label: "A",
      chunk: -1,
      stage: 1,
      after: [work],
      lane: "intra",
      transfers: (rank) => [{ kind: rank ? "send" : "receive", peer: 1 - rank, bytes: 2 }],
    });
    const busy = g.add({
      kind: "allToAll",
      label: "B",
      chunk: -1,
      stage: 2,
      after: [],
      lane: "inter",
      transfers: (rank) => [{ kind: "copy", peer: rank, bytes: rank ? 20 : 0 }],
    });
    g.add({
      kind: "allToAll",
      label: "C",
      chunk: -1,
      stage: 3,
      after: [busy],
      lane: "intra",
      transfers: (rank) => [{ kind: rank ? "send" : "receive", peer: 1 - rank, bytes: 2 }],
    });
  });
  const at = (position: number, rank: number) => position * 2 + rank;
  // B ends at 0 on rank 0 and at 5 on rank 1; A ends at 2; C is posted at 2 and 5, runs 5 to 7
  assertEquals(late.start[at(3, 0)] * 1e-9, 2);
  assertEquals(late.wait[at(3, 0)] * 1e-9, 3);
  assertEquals(late.wait[at(3, 1)], 0);
  assertEquals(late.end[at(3, 0)] * 1e-9, 7);
  assertEquals(late.ready[at(3, 1)] * 1e-9, 5);
});

Deno.test("simulate() shares a processor equally among more tasks than it runs at once", () => {
  const on = sharedProcessor(world(1, 4), 2);
  const events = run(on, (g) => compute(g, "w", 3, [compute(g, "v", 1)]));
  // four tasks at half speed all the time
  assertEquals(seconds(events.end), [2, 2, 2, 2, 8, 8, 8, 8]);
  const two = run(sharedProcessor(world(1, 2), 2), (g) => compute(g, "w", 3));
  assertEquals(seconds(two.end), [3, 3]);
});

Deno.test("simulate() speeds up the tasks that stay when one leaves a shared processor", () => {
  const on = sharedProcessor(world(1, 2), 1);
  const events = run(on, (g) =>
    g.add({
      kind: "allToAll",
      label: "A",
      chunk: -1,
      stage: 0,
      after: [],
      lane: "intra",
      transfers: (rank) => [{ kind: "copy", peer: rank, bytes: 8 * rank }],
    }) && compute(g, "w", 3, [{ id: 0 } as Task]));
  // rank 0 begins at 0, rank 1 at 2: alone to 2 (1 s left), shared to 4, alone to 6
  assertAlmostEquals(events.end[2] * 1e-9, 4);
  assertAlmostEquals(events.end[3] * 1e-9, 6);
});

Deno.test("simulate() ends with an error when phases wait for each other", () => {
  const broken = () =>
    run(world(1, 2), (g) =>
      g.add({
        kind: "allToAll",
        label: "A",
        chunk: -1,
        stage: 0,
        after: [],
        lane: "intra",
        transfers: (rank) => rank ? [] : [{ kind: "send", peer: 1, bytes: 1 }],
      }));
  assertThrows(broken, SchemoeError);
});

Deno.test("openEngine() rejects unknown names and use after close", async () => {
  const kind = "gpu" as "cpu";
  assertThrows(() => openEngine({ kind }), SchemoeError, 'unknown kind "gpu", choose one of');
  assertThrows(() => openEngine({ kind: "cpu", links: "fast" as "plain" }), SchemoeError, "links");
  assertThrows(() => openEngine({ kind: "simulate", node: 2 } as never), SchemoeError, '"node"');
  const engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  engine.close();
  engine.close();
  const g = new GraphBuilder(engine.topology, "forward", 0);
  compute(g, "w", 1);
  const graph = g.build({});
  const program = buildProgram(graph, graph.tasks, "test");
  await assertRejects(
    async () => await engine.run(program, engine.workspace()),
    SchemoeError,
    "closed",
  );
});
