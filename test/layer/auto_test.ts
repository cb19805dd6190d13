import { assert, assertEquals, assertRejects } from "@std/assert";
import { calibrate } from "../../lib/adaptive/mod.ts";
import {
  candidateName,
  candidatesOf,
  createLayer,
  createStack,
  type MoeLayer,
  orderOf,
} from "../../lib/layer/mod.ts";
import { openEngine } from "../../lib/engines/mod.ts";
import { topK } from "../../lib/blocks/mod.ts";
import { topology } from "../../lib/topology.ts";
import { SchemoeError } from "../../lib/types.ts";
import { hiddenEngine } from "../adaptive/hidden.ts";

const sizes = { nodes: 2, ranksPerNode: 2 };
const shown = topology(sizes);
const processor = { alpha: 2e-5, flopRate: 4e9, byteRate: 1e9 };
const real = topology({ ...sizes, inter: { alpha: 1e-4, beta: 6e-8 }, processor });
const config = { tokens: 96, modelDim: 64, hiddenDim: 128, experts: 8, gate: topK({ k: 2 }) };

/** Steps until both passes have chosen, at most so many. */
async function steps(layer: MoeLayer, count: number): Promise<number[]> {
  const seconds: number[] = [];
  for (let i = 0; i < count; i++) {
    const forward = await layer.forward({ scheduler: "auto" });
    const backward = await layer.backward({ scheduler: "auto" });
    seconds.push(forward.makespan + backward.makespan);
  }
  return seconds;
}

Deno.test('scheduler "auto" ends at the best of the whole grid, and stays there', async () => {
  const engine = hiddenEngine({ shown, real, noise: 0.005 });
  const layer = createLayer(engine, config);
  layer.auto = { profile: await calibrate(engine, { seconds: 1000, layer: config, codecs: [] }) };
  await steps(layer, 24);
  const { forward, backward, log } = layer.tuning;
  assert(forward && backward, "nothing was chosen");
  const exact = createLayer(openEngine({ kind: "simulate", topology: real }), config);
  for (const [pass, chosen] of [["forward", forward], ["backward", backward]] as const) {
    let best = Infinity;
    for (const choices of candidatesOf(pass, { topology: real, capacity: 24 })) {
      if (pass === "backward") await exact.forward(forward);
      best = Math.min(best, (await exact[pass](choices)).makespan);
    }
    if (pass === "backward") await exact.forward(forward);
    const { makespan } = await exact[pass](chosen);
    assert(makespan <= best * 1.01, `${candidateName(chosen)}: ${makespan} of ${best}`);
  }
  assertEquals(log.filter(({ event }) => event === "chosen").length, 2);
  const events = log.map(({ event }) => event);
  assertEquals(events[0], "predicted");
  assert(log.filter(({ event }) => event === "trial").length <= 36);
  const run = await layer.forward({ scheduler: "auto" });
  assertEquals(run.name, `auto: ${candidateName(forward)}`);
  assertEquals(layer.tuning.log.length, log.length);
});

Deno.test('scheduler "auto" tunes again when times drift, and says so', async () => {
  const engine = hiddenEngine({ shown, real });
  const layer = createLayer(engine, config);
  await steps(layer, 20);
  const before = layer.tuning.log.length;
  engine.become(topology({ ...sizes, inter: { alpha: 1e-4, beta: 6e-7 }, processor }));
  await steps(layer, 30);
  const later = layer.tuning.log.slice(before);
  const [drift] = later.filter(({ event }) => event === "drift");
  assert(/^takes [\d.]+ times what was measured; tuned again$/.test(drift.text), drift.text);
  assertEquals(later.filter(({ event }) => event === "chosen").length, 2);
});

Deno.test('scheduler "auto" tunes again when the routing changes the places of experts', async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, {
    tokens: 64,
    modelDim: 16,
    hiddenDim: 16,
    experts: 4,
    gate: topK({ k: 1 }),
    routing: { dropless: true },
  });
  layer.auto = { candidates: 2, repeats: 1, drift: 1000 };
  await steps(layer, 4);
  const { log } = layer.tuning;
  assertEquals(log[0].event, "routing");
  assert(layer.tuning.forward && layer.tuning.backward, `${log.map(({ text }) => text)}`);
  // all tokens to one expert
  const weight = new Float32Array(4 * 16).map((_, i) => i < 16 ? 1 : -1);
  layer.set({ "gate.weight": weight, x: new Float32Array(2 * 64 * 16).fill(1) });
  await steps(layer, 1);
  const changed = layer.tuning.log.slice(log.length).filter(({ event }) => event === "routing");
  assert(/places an expert became 64; tuned again/.test(changed[0]?.text), `${changed[0]?.text}`);
});

Deno.test('scheduler "auto" keeps what the user chose, and the bits', async () => {
  using engine = openEngine({ kind: "cpu", ...sizes, links: "plain" });
  using layer = createLayer(engine, config);
  layer.auto = { candidates: 3, repeats: 1 };
  const plain = (await layer.forward({ chunks: 2 })).output!.slice();
  for (let i = 0; i < 4; i++) {
    const run = await layer.forward({ scheduler: "auto", chunks: 2, allToAll: "pipe" });
    assertEquals(run.output, plain);
    assertEquals([run.configuration.allToAll, run.configuration.chunks], ["pipe", 2]);
    assertEquals(run.configuration.compressor, "none");
  }
  const orders = layer.tuning.log.filter(({ event }) => event === "trial");
  assertEquals(orders.length, 3);
});

Deno.test("unknown names remain errors, of schedulers and of options of auto", async () => {
  const layer = createLayer(openEngine({ kind: "simulate", ...sizes }), config);
  await assertRejects(
    () => layer.forward({ scheduler: "Auto" }),
    SchemoeError,
    'Unknown scheduler "Auto"',
  );
  layer.auto = { candidate: 3 } as never;
  await assertRejects(
    () => layer.forward({ scheduler: "auto" }),
    SchemoeError,
    '"candidate" is not an option of auto',
  );
  layer.auto = { repeats: 0 };
  await assertRejects(() => layer.forward({ scheduler: "auto" }), SchemoeError, "repeats is 0");
});

Deno.test("orderOf() tells apart what runs differently, and nothing else", async () => {
  const layer = createLayer(openEngine({ kind: "simulate", ...sizes }), config);
  const order = async (scheduler: string, chunks: number) =>
    orderOf(await layer.forward({ scheduler, chunks }));
  assertEquals(await order("optSche", 2), await order("pipeMoE", 2));
  assert(await order("optSche", 2) !== await order("optSche", 4));
});

Deno.test('scheduler "auto" tunes a stack as a whole, and again when times drift', async () => {
  const stack = {
    ...{ layers: 3, attention: { flops: 2e6, parameters: 2e4 }, gradientChunks: 2 },
    layer: { ...config, routing: { capacityFactor: 1 } },
  };
  const engine = hiddenEngine({ shown, real });
  const tuned = createStack(engine, stack);
  tuned.auto = { profile: await calibrate(engine, { seconds: 1000, layer: config, codecs: [] }) };
  const grid = { schedulers: ["sequential", "optSche", "tutel"], chunks: [1, 2, 4] };
  tuned.auto = { ...tuned.auto, ...grid };
  const step = async () => {
    await tuned.forward({ scheduler: "auto" });
    await tuned.backward({ scheduler: "auto" });
  };
  for (let i = 0; i < 20; i++) await step();
  const { forward, backward, log } = tuned.tuning;
  assert(forward && backward, "nothing was chosen");
  assertEquals(log.filter(({ event }) => event === "chosen").length, 2);
  const exact = createStack(openEngine({ kind: "simulate", topology: real }), stack);
  const { makespan } = await exact.forward(forward);
  for (const choices of candidatesOf("forward", { grid, topology: real, capacity: 24 })) {
    assert(makespan <= (await exact.forward(choices)).makespan * 1.01, candidateName(choices));
  }
  engine.become(topology({ ...sizes, inter: { alpha: 1e-4, beta: 6e-7 }, processor }));
  for (let i = 0; i < 26; i++) await step();
  const later = tuned.tuning.log.slice(log.length).map(({ event }) => event);
  assert(later.includes("drift") && later.includes("chosen"), later.join());
});
