import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import {
  type AllToAll,
  BUILT_IN,
  createLayer,
  hierarchical2d,
  linear,
  openEngine,
  peerGroups,
  type Run,
  SchemoeError,
  topK,
  topology,
} from "../../mod.ts";
import { trafficOf } from "../../lib/costs/mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";
import { largestError } from "../../lib/studies/golden.ts";
import { bytes, roundabout } from "../alltoall/own.ts";

const config = { tokens: 24, modelDim: 8, hiddenDim: 12, experts: 12, gate: topK({ k: 2 }) };

const valuesOf = (forward: Run, backward: Run) => ({ y: forward.output!, ...backward.gradients! });

for (const [nodes, ranksPerNode] of [[3, 2], [1, 4], [2, 3]]) {
  Deno.test(`groups of peers give what capacity slices give on ${nodes} x ${ranksPerNode}, with every all-to-all`, async () => {
    using engine = openEngine({ kind: "cpu", nodes, ranksPerNode, links: "plain" });
    using layer = createLayer(engine, config);
    const run = async (choices: Parameters<typeof layer.forward>[0]) =>
      valuesOf(
        await layer.forward({ ...choices, bound: false }),
        await layer.backward({ ...choices, bound: false }),
      );
    const expected = await run({});
    for (const groups of [1, 2, 4, 9]) {
      const first = await run({ chunks: peerGroups(groups) });
      for (const [name, values] of Object.entries(expected)) {
        assertLess(largestError(first[name as "y"], values), 1e-5, `${name}, ${groups} groups`);
      }
      for (const allToAll of [...BUILT_IN.allToAll, roundabout]) {
        for (const compressor of ["none", bytes]) {
          const got = await run({
            chunks: peerGroups(groups),
            allToAll,
            compressor,
            scheduler: "fasterMoE",
          });
          const what = `${
            typeof allToAll === "string" ? allToAll : allToAll.name
          }, ${groups} groups`;
          for (const [name, values] of Object.entries(first)) {
            assertEquals(got[name as "y"], values, `${name}: ${what}`);
          }
        }
      }
    }
  });
}

Deno.test("a routed capacity, prescored rows and a lossy codec work with groups of peers", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, {
    ...config,
    gate: topK({ k: 2, weighs: "input" }),
    routing: { capacityFactor: 0 },
  });
  const choices = {
    scheduler: "fasterMoE",
    compressor: "int8",
    allToAll: "bruck",
    bound: false,
  } as const;
  const one = valuesOf(await layer.forward(choices), await layer.backward(choices));
  const four = valuesOf(
    await layer.forward({ ...choices, chunks: 4 }),
    await layer.backward({ ...choices, chunks: 4 }),
  );
  // int8 blocks are rows, so they are the same however rows are split
  for (const [name, values] of Object.entries(one)) {
    assertLess(largestError(four[name as "y"], values), 1e-5, name);
  }
});

Deno.test("a chunk of peers moves only its own pairs, also through other ranks", () => {
  const world = topology({ nodes: 2, ranksPerNode: 2 });
  const moved = (algorithm: AllToAll, pairs?: (a: number, b: number) => boolean) => {
    const g = new GraphBuilder(world, "forward", 1);
    g.allToAll({
      label: "A",
      chunk: 0,
      stage: 0,
      after: [],
      sliceBytes: 1,
      scratch: "s",
      pairs,
      algorithm,
      input: { buffer: "i", offset: 0 },
      output: { buffer: "o", offset: 0 },
    });
    return g.build({}).tasks.map(({ bytes }) => bytes);
  };
  const insideNode = (a: number, b: number) => a >> 1 === b >> 1;
  assertEquals(moved(linear), [3]);
  assertEquals(moved(linear, insideNode), [1]);
  assertEquals(moved(linear, () => false), [0]);
  // stride, intra, stride, inter: what stays in the node crosses no link between nodes
  assertEquals(moved(hierarchical2d), [0, 2, 0, 2]);
  assertEquals(moved(hierarchical2d, insideNode), [0, 1, 0, 0]);
});

Deno.test("worlds too large for a proof take groups of peers with all-to-alls that are direct or tell the ways of slices", () => {
  const world = topology({ nodes: 40, ranksPerNode: 8 });
  const tasks = (algorithm: AllToAll) => {
    const g = new GraphBuilder(world, "forward", 1);
    g.allToAll({
      label: "A",
      chunk: 0,
      stage: 0,
      after: [],
      sliceBytes: 1,
      scratch: "s",
      pairs: (a, b) => a % 8 === b % 8,
      algorithm,
      input: { buffer: "i", offset: 0 },
      output: { buffer: "o", offset: 0 },
    });
    return g.build({}).tasks;
  };
  const first = (algorithm: AllToAll) => tasks(algorithm)[0].transfers!(3);
  const sent = first(linear).filter(({ kind }) => kind === "send");
  assertEquals(sent.length, 39);
  assert(sent.every(({ peer }) => peer % 8 === 3));
  assertThrows(() => first(roundabout), SchemoeError, "passes slices on by other ranks");
  // slices for the same place of another node stay on their rank until they cross
  const [stride, intra, , inter] = tasks(hierarchical2d).map((task) =>
    trafficOf(world, task).pattern.of(3)
  );
  assertEquals([stride.copied, intra.intra.sends, intra.copied], [40, 0, 40]);
  assertEquals([inter.inter.sends, inter.inter.received, inter.copied], [39, 39, 1]);
});
