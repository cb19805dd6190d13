import { assert, assertEquals } from "@std/assert";
import { openCpuEngine } from "../../lib/engines/cpu.ts";
import { uniforms } from "../../lib/random.ts";
import { NativeEngine } from "../../lib/native/engine.ts";
import { NativeRunner } from "../../lib/native/runner.ts";
import { randomDelays, tryOrders } from "../../lib/tasks/bench/orders.ts";
import { topK, topology } from "../../mod.ts";

const world = topology({ nodes: 2, ranksPerNode: 2 });
const trial = {
  config: { tokens: 8, modelDim: 4, hiddenDim: 8, experts: 4, gate: topK({ k: 2 }) },
  allToAlls: ["linear", "pipe", "hierarchical2d"],
  chunks: 4,
  count: 10,
  timeLimit: 30,
};

/** A CPU engine whose operations take at least what `seconds` says. */
const delayedEngine = (seconds: () => number | undefined) =>
  new NativeRunner({
    kind: "cpu",
    topology: world,
    timing: "random delays",
    modelled: false,
    seconds,
    native: new NativeEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2 }),
  });

Deno.test("tryOrders() runs different orders under delays and finds the same bits", async () => {
  const random = uniforms(5);
  using plain = openCpuEngine({ topology: world, links: "plain" });
  using delayed = delayedEngine(randomDelays(random, { share: 0.2, most: 1e-3 }));
  const rows = await tryOrders({ plain, delayed }, { ...trial, random });
  assertEquals(
    rows.map(({ allToAll, orders, runs, different, sameBits, failed }) => [
      allToAll,
      orders,
      runs,
      different,
      sameBits,
      failed,
    ]),
    [
      ["linear", 3, 6, 6, 6, 0],
      ["pipe", 3, 6, 6, 6, 0],
      ["hierarchical2d", 4, 8, 8, 8, 0],
    ],
  );
});

Deno.test("tryOrders() counts runs that the watchdog ends, and gives an all-to-all up", async () => {
  using plain = openCpuEngine({ topology: world, links: "plain" });
  using delayed = delayedEngine(() => 5);
  const rows = await tryOrders({ plain, delayed }, {
    ...trial,
    allToAlls: ["pipe"],
    timeLimit: 0.2,
    random: uniforms(5),
  });
  assertEquals([rows[0].runs, rows[0].failed, rows[0].sameBits], [3, 3, 0]);
  assert(String(rows[0].failure).includes("0.2 s"), String(rows[0].failure));
});

Deno.test("randomDelays() delays that share of operations, each differently", () => {
  const delay = randomDelays(uniforms(3), { share: 0.25, most: 2 });
  const delays = Array.from({ length: 4000 }, delay).filter((seconds) => seconds !== undefined);
  assert(delays.length > 800 && delays.length < 1200, `${delays.length}`);
  assert(delays.every((seconds) => seconds >= 0 && seconds < 2));
  assertEquals(new Set(delays).size, delays.length);
});
