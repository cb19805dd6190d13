import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { createLayer } from "../../lib/layer/mod.ts";
import { repeated, secondsOf, togetherRepeats } from "../../lib/layer/repeats.ts";
import { openEngine } from "../../lib/engines/mod.ts";
import { compare, loadRun } from "../../lib/timeline/mod.ts";
import type { EventTable } from "../../lib/engine.ts";
import { SchemoeError } from "../../lib/types.ts";

const sizes = { tokens: 16, modelDim: 8, hiddenDim: 8, experts: 4 };
const cpu = () => openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });

/** Events of one operation that took so many seconds. */
function took(seconds: number): EventTable {
  const column = (value: number) => Float64Array.of(value);
  const [position, rank] = [Uint32Array.of(0), Uint32Array.of(0)];
  return {
    position,
    rank,
    ready: column(5),
    start: column(5),
    wait: column(0),
    end: column(5 + seconds * 1e9),
  };
}

Deno.test("repeated() keeps the run of the median, and the times of all in their order", async () => {
  const of = async (...times: number[]) => {
    let at = 0;
    return await repeated(times.length, () => Promise.resolve(took(times[at++])));
  };
  const three = await of(3, 1, 2);
  assertEquals([secondsOf(three.events), three.repeats], [2, [3, 1, 2]]);
  assertEquals(secondsOf((await of(4, 1, 2, 3)).events), 2);
  assertEquals((await of(7)).repeats, undefined);
});

Deno.test("togetherRepeats() adds what ran once to each repeat of the rest", () => {
  const parts = [{ events: took(1) }, { events: took(3), repeats: [3, 4, 2] }];
  assertEquals(togetherRepeats(parts), [4, 5, 3]);
  assertEquals(togetherRepeats([{ events: took(1) }]), undefined);
});

Deno.test("forward() and backward() repeat with the bits of one run, and know all makespans", async () => {
  using engine = cpu();
  using layer = createLayer(engine, sizes);
  const [once, often] = [
    await layer.forward({ chunks: 2, results: true }),
    await layer.forward({ chunks: 2, repeats: 5, results: true }),
  ];
  assertEquals(often.output, once.output);
  assertEquals(once.repeats, undefined);
  assertEquals(often.repeats!.length, 5);
  const [least, most] = [Math.min(...often.repeats!), Math.max(...often.repeats!)];
  assertEquals([once.least, once.spread, once.median], [once.makespan, 0, once.makespan]);
  assertEquals([often.least.toFixed(9), often.spread.toFixed(9)], [
    least.toFixed(9),
    (most - least).toFixed(9),
  ]);
  const shown = (await Reflect.get(often, Symbol.for("Jupyter.display")).call(often))["text/plain"];
  assertMatch(shown, /\n5 runs: ([\d.]+ \w?s, ){4}[\d.]+ \w?s\n/);
  const median = often.repeats!.toSorted((a, b) => a - b)[2];
  assert(Math.abs(often.makespan - median) < 1e-9);
  assertStringIncludes(often.verdict, "(median of 5, ");
  const [back, backs] = [
    await layer.backward({ chunks: 2, results: true }),
    await layer.backward({ chunks: 2, repeats: 3, results: true }),
  ];
  for (const [name, values] of Object.entries(back.gradients!)) {
    assertEquals(backs.gradients![name], values, name);
  }
  const { table } = compare([often, await layer.forward({ chunks: 2, repeats: 2 }), once]);
  assertEquals((table.array("clear") as unknown[]).map((clear) => typeof clear), [
    "boolean",
    "boolean",
    "object",
  ]);
});

Deno.test("forward() repeats what the gate leads to where the capacity follows the routing", async () => {
  using engine = cpu();
  using layer = createLayer(engine, { ...sizes, routing: { capacityFactor: 0 } });
  const run = await layer.forward({ repeats: 3 });
  assertEquals([run.ran.length, run.repeats!.length], [2, 3]);
  assert(run.ran[0].repeats === undefined);
});

Deno.test("forward() on the simulator runs once: its times are always the same", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  assertEquals((await createLayer(engine, sizes).forward({ repeats: 9 })).repeats, undefined);
});

Deno.test("forward() refuses repeats that are no count", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const layer = createLayer(engine, sizes);
  for (const [repeats, got] of [[0, "0"], [1.5, "1.5"], ["3", '"3"'], [1e6, "1000000"]] as const) {
    await assertRejects(
      () => layer.forward({ repeats: repeats as number }),
      SchemoeError,
      `repeats must be an integer from 1 to 1000, got ${got}`,
    );
  }
});

Deno.test("a bound of measured times says up to where it could be, also when loaded", async () => {
  using engine = cpu();
  using layer = createLayer(engine, sizes);
  const run = await layer.forward({ bound: true, repeats: 3 });
  assert(run.boundMost! >= run.bound!);
  const folder = await Deno.makeTempDir();
  await run.save(`${folder}/run`);
  const loaded = await loadRun(`${folder}/run`);
  assertEquals(
    [loaded.boundMost, loaded.repeats, loaded.verdict],
    [run.boundMost, run.repeats, run.verdict],
  );
  await Deno.remove(folder, { recursive: true });
});
