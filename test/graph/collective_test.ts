import { assert, assertEquals, assertThrows } from "@std/assert";
import { openEngine, SchemoeError, testbed, topology } from "../../mod.ts";
import { copy, groupOrder, input, output, scratch } from "../../lib/alltoall/mod.ts";
import { addCollective, GraphBuilder } from "../../lib/graph/mod.ts";
import {
  correlatedRouting,
  type RoutedGroup,
  tokenGroups,
  zipfRouting,
} from "../../lib/routing/mod.ts";
import { compareDispatch, nodeCombineProgram, nodeDispatchProgram } from "../../lib/studies/mod.ts";
import type { Engine, Program } from "../../lib/engine.ts";
import { uniforms } from "../../lib/random.ts";

const COLUMNS = 12;
const ROW = 4 * COLUMNS;

/** Runs a Program on buffers `input` of each rank; gives `output`, and the seconds that it took. */
async function ran(engine: Engine, program: Program, inputs: readonly Float32Array[]) {
  const workspace = engine.workspace();
  try {
    workspace.ensure(program.graph.buffers);
    inputs.forEach((values, rank) => values.length && workspace.write("input", rank, values));
    const { end } = await engine.run(program, workspace);
    const bytes = program.graph.buffers.output;
    const outputs = inputs.map((_, rank) =>
      new Float32Array(workspace.read("output", rank, bytes & ~3).buffer)
    );
    return { outputs, seconds: 1e-9 * end.reduce((a, b) => Math.max(a, b), 0) };
  } finally {
    workspace.free();
  }
}

/** Rows of groups, one list after another; row of a token from what `value` says. */
const rows = (
  groups: readonly RoutedGroup[],
  list: readonly number[],
  value: (group: number, token: number, column: number) => number,
) =>
  Float32Array.from(
    list.flatMap((group) =>
      Array.from(groups[group].tokens).flatMap((token) =>
        Array.from({ length: COLUMNS }, (_, column) => value(group, token, column))
      )
    ),
  );

Deno.test("a dispatch and a combine by node move and add every row on the CPU engine, in the order of ranks", async () => {
  for (const [nodes, ranksPerNode] of [[1, 2], [2, 2], [3, 2], [2, 4]]) {
    const world = topology({ nodes, ranksPerNode });
    const sizes = { ranks: world.ranks, tokens: 20, experts: 2 * world.ranks, topK: 3 };
    const groups = tokenGroups(zipfRouting({ ...sizes, exponent: 0.7 }), { ranksPerNode });
    const { sent, received } = groupOrder(world, groups);
    using engine = openEngine({ kind: "cpu", topology: world, links: "plain" });
    const named = (group: number, token: number, column: number) =>
      (groups[group].source * 64 + token) * 16 + column;
    const out = await ran(
      engine,
      nodeDispatchProgram(world, groups, ROW),
      sent.map((list) => rows(groups, list, named)),
    );
    out.outputs.forEach((values, rank) => {
      const expected = rows(groups, received[rank], named);
      assertEquals(values.subarray(0, expected.length), expected);
    });
    // results of each rank are random, so that the order of additions shows in the bits
    const uniform = uniforms(nodes);
    const results = new Map<string, number>();
    const result = (rank: number) => (group: number, token: number, column: number) => {
      const key = `${rank} ${group} ${token} ${column}`;
      let value = results.get(key);
      if (value === undefined) results.set(key, value = Math.fround(uniform() * 2 - 1));
      return value;
    };
    const back = await ran(
      engine,
      nodeCombineProgram(world, groups, ROW),
      received.map((list, rank) => rows(groups, list, result(rank))),
    );
    back.outputs.forEach((values, rank) => {
      const expected = rows(
        groups,
        sent[rank],
        (group, token, column) =>
          groups[group].ranks.map((from) => result(from)(group, token, column))
            .reduce((sum, value) => Math.fround(sum + value)),
      );
      assertEquals(values.subarray(0, expected.length), expected, `rank ${rank}`);
    });
  }
});

Deno.test("all sums of a rank in a phase are one kernel, in units of rows", () => {
  const world = topology({ nodes: 2, ranksPerNode: 4 });
  const trace = zipfRouting({ ranks: 8, tokens: 50, experts: 16, topK: 4, exponent: 0.5 });
  const groups = tokenGroups(trace, { ranksPerNode: 4 });
  const { graph: { tasks } } = nodeCombineProgram(world, groups, ROW);
  const sums = tasks.filter(({ kind }) => kind === "combine");
  assertEquals(sums.map(({ name }) => name), ["A[0] add", "A[0] sum"]);
  for (const task of sums) {
    for (let rank = 0; rank < 8; rank++) {
      const [{ name, args, more }, ...others] = task.kernels!(rank);
      assertEquals([name, args[1], others], ["add_slices", COLUMNS, []]);
      assert(args[2] as number > 5 && more!.length > 5 * 5);
    }
  }
});

Deno.test("emulated links take the simulated time for a dispatch and a combine by node", async () => {
  const world = topology({ nodes: 2, ranksPerNode: 2 });
  const trace = zipfRouting({ ranks: 4, tokens: 400, experts: 8, topK: 2, exponent: 0.5 });
  const groups = tokenGroups(trace, { ranksPerNode: 2 });
  using engine = openEngine({
    kind: "cpu",
    topology: world,
    links: "emulated",
    computation: "paced",
  });
  using simulator = openEngine({ kind: "simulate", topology: world });
  const empty = Array.from({ length: 4 }, () => new Float32Array(0));
  for (const make of [nodeDispatchProgram, nodeCombineProgram]) {
    const program = make(world, groups, ROW);
    const { end } = await simulator.run(program, simulator.workspace());
    const simulated = 1e-9 * end.reduce((a, b) => Math.max(a, b), 0);
    assert((await ran(engine, program, empty)).seconds >= 0.99 * simulated);
  }
});

Deno.test("compareDispatch(): once a node is less than once a rank, and less than once a choice", () => {
  const { topology: world } = testbed("h200-ib400", { nodes: 4, ranksPerNode: 4 });
  const sizes = { ranks: 16, tokens: 512, experts: 64 };
  for (const topK of [2, 8]) {
    const trace = correlatedRouting({ ...sizes, topK, nodes: 4, locality: 0.3, prefers: "other" });
    const [choice, rank, node] = compareDispatch(world, trace, { rowBytes: 14336 });
    assert(node.betweenNodes < rank.betweenNodes && rank.betweenNodes < choice.betweenNodes);
    assert(node.dispatchMs < rank.dispatchMs && rank.dispatchMs < choice.dispatchMs);
    assert(node.combineMs < rank.combineMs && rank.combineMs < choice.combineMs);
    // no token crosses to a node more than once, and all that cross must
    const crossings = tokenGroups(trace, { ranksPerNode: 4 })
      .filter(({ source, node }) => source >> 2 !== node)
      .reduce((sum, { tokens }) => sum + tokens.length, 0);
    assertEquals(node.allBetweenNodes, crossings * 14336);
  }
});

Deno.test("addCollective() refuses slices of several sizes in one slot of scratch", () => {
  const world = topology({ nodes: 1, ranksPerNode: 1 });
  const g = new GraphBuilder(world, "forward", 1);
  const collective = {
    name: "mine",
    ...{ inputs: () => 2, outputs: () => 2 },
    terms: (_: number, i: number) => [[0, i]] as const,
    plan: () =>
      [0, 1].flatMap((i) => [
        { name: `in ${i}`, lane: "intra" as const, steps: [copy(input(i), scratch(0))] },
        { name: `out ${i}`, lane: "intra" as const, steps: [copy(scratch(0), output(i))] },
      ]),
  };
  const at = (buffer: string) => g.buffer(buffer, 12);
  const exchange = {
    ...{ label: "A", chunk: 0, stage: 0, after: [], collective, scratch: "scratch" },
    ...{ input: at("input"), output: at("output") },
  };
  addCollective(g, { ...exchange, label: "B", bytes: () => 4 });
  assertThrows(
    () => addCollective(g, { ...exchange, bytes: (_, i) => 4 + 4 * i }),
    SchemoeError,
    "rank 0 keeps slices of 4 and 8 bytes in scratch slice 0",
  );
});
