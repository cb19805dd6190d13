import { assertEquals, assertThrows } from "@std/assert";
import { SchemoeError, type Task, topology } from "../../mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";

const world = topology({ nodes: 1, ranksPerNode: 2 });

/** a -> b -> d, a -> c -> d with c on another lane. */
function diamond() {
  const g = new GraphBuilder(world, "forward", 1);
  const add = (label: string, after: Task[], lane: Task["lane"] = "compute") =>
    g.add({ kind: "opaque", label, chunk: -1, stage: 0, after, lane });
  const a = add("a", []);
  const b = add("b", [a]);
  const c = add("c", [a], "intra");
  const d = add("d", [b, c]);
  return { graph: g.build({}), a, b, c, d };
}

Deno.test("buildProgram() keeps one wait a lane, none for the own lane", () => {
  const { graph, a, b, c, d } = diamond();
  const program = buildProgram(graph, [a, b, c, d], "test");
  assertEquals(program.waits, [[], [], [0], [2]]);
  assertEquals(program.dependencies, [[], [0], [0], [1, 2]]);
});

Deno.test("buildProgram() honours edges of the scheduler", () => {
  const { graph, a, b, c, d } = diamond();
  const program = buildProgram(graph, { order: [a, b, c, d], after: [[b, c]] }, "test");
  assertEquals(program.waits[2], [1]);
});

Deno.test("buildProgram() names the first task that is missing, double, foreign or too early", () => {
  const { graph, a, b, c, d } = diamond();
  const other = diamond();
  const cases: [Parameters<typeof buildProgram>[1], string][] = [
    [[a, b, d], "task c is missing"],
    [[a, b, b, c, d], "task b is double, at positions 1 and 2"],
    [[a, b, other.c, d], "position 2 holds c, which is not a task of the graph"],
    [[a, d, b, c], "task d at position 1 is too early, it depends on b at position 2"],
    [[a, undefined as unknown as Task, b, c], "position 1 holds undefined"],
    [{ order: [a, b, c, d], after: [[c, b]] }, "its edge c -> b points backwards"],
    [{ order: [a, b, c, d], after: [[other.a, b]] }, "an edge names a, which is not in the graph"],
    [7 as unknown as Task[], "not an array"],
  ];
  for (const [schedule, message] of cases) {
    const error = assertThrows(() => buildProgram(graph, schedule, "test"), SchemoeError, message);
    assertEquals(error.message.startsWith('Cannot run the order of scheduler "test": '), true);
  }
});
