import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { createLayer, createStack, openEngine, SchemoeError, topK } from "../../mod.ts";
import { spawnWorkers } from "../../lib/workers/mod.ts";
import { byCapacity } from "../schedulers/by_capacity.ts";

const layer = { tokens: 24, modelDim: 8, hiddenDim: 16, experts: 8, gate: topK({ k: 3 }) };
const attention = { flops: 1e4, bytes: 100, parameters: 40 };
const config = { layer, layers: 3, attention, gradientChunks: 2 };
const world = { kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" } as const;
/** It prefers groups of peers, which are refused. */
const schedulers = byCapacity;
const values = (factor: number) =>
  Float32Array.from({ length: 4 * 24 * 8 }, (_, i) => Math.sin(factor * i));

Deno.test("a stack whose tokens cross once equals its layers one after another, bit for bit", async () => {
  using engine = openEngine(world);
  using stack = createStack(engine, config);
  await stack.ready();
  const singles = Array.from({ length: 3 }, (_, l) => createLayer(engine, layer, { seed: 7 + l }));
  for (const single of singles) await single.ready();
  const given = Object.fromEntries(
    singles.flatMap((single, l) =>
      Object.keys(single.parameters).map((name) => [`L${l}.${name}`, single.get(name)])
    ),
  );
  stack.set({ ...given, x: values(0.7), dy: values(0.9) });
  for (const chunks of [1, 3]) {
    const choices = { dispatch: "node", chunks, bound: false } as const;
    const forward = await stack.forward(choices);
    assertEquals(forward.ran.length, 4);
    assertEquals(forward.configuration.allToAll, "once a node");
    const y = forward.output!.slice();
    // backward goes as forward did
    const { gradients } = await stack.backward({ chunks, bound: false });
    let x = values(0.7);
    for (const single of singles) x = (await single.forward({ ...choices, x })).output!.slice();
    assertEquals(y, x);
    let dy = values(0.9);
    for (const l of [2, 1, 0]) {
      const own = (await singles[l].backward({ ...choices, dy })).gradients!;
      for (const name of Object.keys(singles[l].parameters)) {
        assertEquals(gradients![`L${l}.${name}`], own[name], `layer ${l}: ${name}`);
      }
      dy = own.x.slice();
    }
    assertEquals(gradients!.x, dy);
  }
  for (const single of singles) single.close();
});

Deno.test("schedulers and processes change no bit of a stack whose tokens cross once", async () => {
  await using workers = await spawnWorkers(1);
  const { kind: _, ...shape } = world;
  using alone = openEngine(world);
  using several = await workers.openEngine(shape);
  let first: string | undefined;
  for (const engine of [alone, several]) {
    using stack = createStack(engine, config);
    for (const scheduler of engine === alone ? schedulers : ["optSche"]) {
      const choices = { scheduler, chunks: 2, dispatch: "node", bound: false } as const;
      const y = (await stack.forward(choices)).output!.slice();
      const { gradients } = await stack.backward(choices);
      const got = JSON.stringify([[...y], ...Object.values(gradients!).map((list) => [...list])]);
      assert(got === (first ??= got), scheduler);
    }
  }
});

Deno.test("the simulator runs a stack whose tokens cross once, above its bound; backward goes as forward did", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 4 });
  using stack = createStack(engine, { ...config, layer: { ...layer, modelDim: 1024 } });
  const each = await stack.forward({ scheduler: "optSche" });
  const once = await stack.forward({ scheduler: "optSche", dispatch: "node" });
  const between = ({ ran }: typeof once) =>
    ran.flatMap(({ program }) => program.order)
      .filter(({ lane, label }) => lane === "inter" && /^A/.test(label))
      .reduce((sum, { bytes }) => sum + bytes, 0);
  assertLess(between(once), between(each));
  const backward = await stack.backward({ scheduler: "optSche" });
  for (const run of [once, backward]) assert(run.makespan >= run.bound! && run.bound! > 0);
  assertEquals(backward.configuration.allToAll, "once a node");
  const refused = (options: Parameters<typeof stack.backward>[0], message: string) =>
    assertRejects(() => stack.backward(options), SchemoeError, message);
  await refused({ dispatch: "choice" }, 'forward had "node"');
  await refused({ scheduler: "auto" }, '"auto" chooses all-to-alls');
  await stack.forward();
  await refused({ dispatch: "node" }, 'forward had "choice"');
});
