import { assertEquals } from "@std/assert";
import { interchangeable } from "../../lib/costs/bound_groups.ts";
import { type Task, type TaskGraph, topology } from "../../mod.ts";
import { GraphBuilder, timedGraph } from "../../lib/graph/mod.ts";

const groups = (graph: TaskGraph, same: (a: Task, b: Task) => boolean) =>
  interchangeable(graph, same).map((tasks) => tasks.map(({ name }) => name).join(" "));

Deno.test("interchangeable() groups each stage of equal chunks, weight gradients included", () => {
  const { graph } = timedGraph({
    pass: "backward",
    chunks: 3,
    times: { A1: 1, Ei: 1, Ew: 1, A2: 1 },
    after: 1,
  });
  assertEquals(groups(graph, () => true), [
    "A1[0] A1[1] A1[2]",
    "Ei[0] Ei[1] Ei[2]",
    "Ew[0] Ew[1] Ew[2]",
    "A2[0] A2[1] A2[2]",
    "after",
  ]);
});

Deno.test("interchangeable() keeps chunks of different costs apart", () => {
  const { graph, costs } = timedGraph({ chunks: [1, 2, 1, 2], times: { A1: 1, E: 1 } });
  const same = (a: Task, b: Task) => costs.seconds(a) === costs.seconds(b);
  assertEquals(groups(graph, same), ["A1[0] A1[2]", "E[0] E[2]", "A1[1] A1[3]", "E[1] E[3]"]);
});

Deno.test("interchangeable() dissolves groups of which a task outside needs one", () => {
  const g = new GraphBuilder(topology({ nodes: 1, ranksPerNode: 1 }), "forward", 2);
  const work = [0, 1].map((chunk) =>
    g.add({ kind: "opaque", label: "work", chunk, stage: 0, after: [] })
  );
  g.add({ kind: "opaque", label: "needsSecond", chunk: 2, stage: 1, after: [work[1]] });
  assertEquals(groups(g.build({}), () => true), ["work[0]", "work[1]", "needsSecond"]);
});

Deno.test("interchangeable() dissolves groups with a dependency across chunks that fixes no order", () => {
  const g = new GraphBuilder(topology({ nodes: 1, ranksPerNode: 1 }), "forward", 2);
  const work = [0, 1].map((chunk) =>
    g.add({ kind: "opaque", label: "work", chunk, stage: 0, after: [] })
  );
  g.add({ kind: "opaque", label: "next", chunk: 0, stage: 1, after: work });
  g.add({ kind: "opaque", label: "next", chunk: 1, stage: 1, after: [work[1]] });
  assertEquals(groups(g.build({}), () => true).length, 4);
});
