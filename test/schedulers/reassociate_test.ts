import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { swiglu, topK } from "../../lib/blocks/mod.ts";
import { openEngine } from "../../lib/engines/mod.ts";
import { createLayer, createStack, type Run } from "../../lib/layer/mod.ts";
import { createModel } from "../../lib/model/mod.ts";
import { optSche } from "../../lib/schedulers/mod.ts";
import type { Scheduler } from "../../lib/schedulers/types.ts";
import { SchemoeError, type Task } from "../../lib/types.ts";

/** Weight gradients from the last chunk to the first, after everything that they need. */
const lastFirst: Scheduler = {
  name: "lastFirst",
  reassociate: true,
  order({ tasks }) {
    const sums = tasks.filter(({ label }) => label === "Ew");
    const then = tasks.filter((task) => !sums.includes(task) && after(tasks, task));
    const first = tasks.filter((task) => !sums.includes(task) && !then.includes(task));
    return [...first, ...sums.toReversed(), ...then];
  },
};
/** Whether a task waits for weight gradients. */
const after = (tasks: readonly Task[], { after: ids }: Task): boolean =>
  ids.some((id) => tasks[id].label === "Ew" || after(tasks, tasks[id]));

const sizes = { tokens: 48, modelDim: 16, hiddenDim: 24, experts: 4, gate: topK({ k: 2 }) };
const layers = {
  "a padded layer": sizes,
  "swiglu": { ...sizes, expert: swiglu() },
  "a dropless layer": { ...sizes, routing: { dropless: true } },
  "copies of experts": { ...sizes, parallel: { expert: 1 } },
};

/** The largest difference of two lists over the largest value of the first. */
function difference(a: Float32Array, b: Float32Array): number {
  const largest = a.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0) / largest;
}

for (const [name, config] of Object.entries(layers)) {
  Deno.test(`reassociate: true gives gradients within 1e-5 of those in chunk order: ${name}`, async () => {
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
    using layer = createLayer(engine, config);
    await layer.forward({ chunks: 4 });
    const inOrder = await layer.backward({ chunks: 4, scheduler: optSche, results: true });
    const any = await layer.backward({ chunks: 4, scheduler: lastFirst, results: true });
    const order = any.ran[0].program.order.filter(({ label }) => label === "Ew");
    assertEquals(order.map(({ chunk }) => chunk), [3, 2, 1, 0]);
    let different = false;
    for (const [tensor, values] of Object.entries(inOrder.gradients!)) {
      const found = difference(values, any.gradients![tensor]);
      assert(found <= 1e-5, `${tensor}: ${found}`);
      different ||= found > 0;
      if (!tensor.startsWith("experts.")) assertEquals(found, 0, tensor);
    }
    assert(different, "another order of sums gave the same bits");
    // and once more: what the last run left is not added to
    const again = await layer.backward({ chunks: 4, scheduler: lastFirst, results: true });
    for (const [tensor, values] of Object.entries(any.gradients!)) {
      assertEquals(difference(values, again.gradients![tensor]), 0, tensor);
    }
    assertEquals(any.configuration.weightGradients, "summed in any order");
    assertEquals(inOrder.configuration.weightGradients, undefined);
    assertStringIncludes(await any.svg(), "weight gradients summed in any order");
  });
}

Deno.test("without reassociate the same order is refused, and the error names the way out", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const layer = createLayer(engine, sizes);
  await layer.forward({ chunks: 4 });
  const { message } = await assertRejects(
    () => layer.backward({ chunks: 4, scheduler: { ...lastFirst, reassociate: false } }),
    SchemoeError,
  );
  assertMatch(
    message,
    /task Ew\[3\] .*depends on Ew\[2\].*unless the scheduler says reassociate: true/,
  );
});

Deno.test("reassociate must be true or false", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const scheduler = { ...lastFirst, reassociate: "yes" } as unknown as Scheduler;
  const { message } = await assertRejects(
    () => createLayer(engine, sizes).forward({ scheduler }),
    SchemoeError,
  );
  assertStringIncludes(message, 'reassociate must be true or false, got "yes"');
});

Deno.test("a simulated run sets the gradients to 0 while the first all-to-all is under way", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const layer = createLayer(engine, sizes);
  await layer.forward({ chunks: 3 });
  const run = await layer.backward({ chunks: 3, scheduler: { ...optSche, reassociate: true } });
  const tasks = run.ran[0].program.graph.tasks;
  const named = (name: string) => tasks.find((task) => task.name === name)!;
  for (const chunk of [0, 1, 2]) {
    assertEquals(named(`Ew[${chunk}]`).after, [named(`Ei[${chunk}]`).id, named("zero").id]);
  }
  const bytes = ["w1", "b1", "w2", "b2"].map((name) =>
    run.ran[0].program.graph.buffers[`grad.experts.${name}`]
  );
  assertEquals(named("zero").bytes, bytes.reduce((a, b) => a + b));
});

Deno.test("reassociate holds in stacks and in training steps", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const scheduler = { ...optSche, name: "any", reassociate: true };
  using stack = createStack(engine, { layers: 2, layer: sizes });
  await stack.forward({ chunks: 2 });
  const runs: Run[] = [
    await stack.backward({ chunks: 2, scheduler: optSche, results: true }),
    await stack.backward({ chunks: 2, scheduler, results: true }),
  ];
  for (const [tensor, values] of Object.entries(runs[0].gradients!)) {
    assert(difference(values, runs[1].gradients![tensor]) <= 1e-5, tensor);
  }
  assertEquals(
    runs[1].ran[0].program.graph.tasks.filter(({ label }) => label === "zero").length,
    2,
  );
  const config = {
    vocabulary: 30,
    context: 8,
    batch: 2,
    modelDim: 16,
    attention: { heads: 2, keyValueHeads: 1 },
    layers: [{ moe: { experts: 4, hiddenDim: 16 } }],
  };
  const tokens = new Int32Array(2 * 2 * 9).map((_, i) => i * i % 30);
  const losses = [];
  for (const each of [optSche, scheduler]) {
    using model = createModel(engine, config);
    for (let step = 0; step < 2; step++) {
      losses.push((await model.step(tokens, { scheduler: each, chunks: 2 })).loss!);
    }
  }
  assertEquals(losses[0], losses[2]);
  assert(Math.abs(losses[1] - losses[3]) <= 1e-5 * losses[1]);
});
