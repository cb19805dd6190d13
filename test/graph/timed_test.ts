import { assertEquals, assertThrows } from "@std/assert";
import { SchemoeError } from "../../mod.ts";
import { timedGraph } from "../../lib/graph/mod.ts";

const list = ({ graph, costs }: ReturnType<typeof timedGraph>) =>
  graph.tasks.map((task) => {
    const after = task.after.map((id) => graph.tasks[id].name).join("+");
    return `${task.name} ${task.lane} ${costs.seconds(task)}${after && ` after ${after}`}`;
  });

Deno.test("timedGraph() scales the times of a chunk by its size", () => {
  assertEquals(list(timedGraph({ chunks: [1, 3], times: { A1: 1, E: 2 }, after: 5 })), [
    "A1[0] inter 1",
    "E[0] compute 2 after A1[0]",
    "A1[1] inter 3",
    "E[1] compute 6 after A1[1]",
    "after compute 5 after E[0]+E[1]",
  ]);
});

Deno.test("timedGraph() chains phases intra first on the way there and last on the way back", () => {
  const exchange = { intra: 1, inter: 2, chained: true };
  assertEquals(list(timedGraph({ chunks: 1, times: { A1: exchange, A2: exchange } })), [
    "A1[0] intra intra 1",
    "A1[0] inter inter 2 after A1[0] intra",
    "A2[0] inter inter 2 after A1[0] inter",
    "A2[0] intra intra 1 after A2[0] inter",
  ]);
});

Deno.test("timedGraph() adds weight gradients in chunk order, and a gate that nothing waits for", () => {
  const timed = timedGraph({
    pass: "backward",
    chunks: 2,
    times: { Ei: 1, Ew: 1 },
    gate: { compute: 3, allReduce: 4 },
  });
  assertEquals(list(timed), [
    "Ei[0] compute 1",
    "Ew[0] compute 1 after Ei[0]",
    "Ei[1] compute 1",
    "Ew[1] compute 1 after Ei[1]+Ew[0]",
    "gate compute 3",
    "AR inter 4 after gate",
  ]);
});

Deno.test("timedGraph() names the time or size that is wrong", () => {
  assertThrows(() => timedGraph({ chunks: 1, times: { A1: -1 } }), SchemoeError, "A1 takes -1 s");
  assertThrows(
    () => timedGraph({ chunks: [1, NaN], times: { A1: 1 } }),
    SchemoeError,
    "chunk 1 has size NaN",
  );
  assertThrows(() => timedGraph({ chunks: 0, times: { A1: 1 } }), SchemoeError, "chunks");
  assertThrows(() => timedGraph({ chunks: 1, times: { A3: 1 } as never }), SchemoeError, '"A3"');
});
