import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { calibrate, tune } from "../../lib/adaptive/mod.ts";
import {
  candidateName,
  candidatesOf,
  createLayer,
  createStack,
  type MoeLayer,
  orderOf,
  type PassChoices,
  rankCandidates,
} from "../../lib/layer/mod.ts";
import { expertWaves } from "../../lib/chunking/mod.ts";
import { fixedRateZfp } from "../../lib/compressors/mod.ts";
import { fasterMoE, sequential } from "../../lib/schedulers/mod.ts";
import { openEngine } from "../../lib/engines/mod.ts";
import { topK } from "../../lib/blocks/mod.ts";
import { topology } from "../../lib/topology.ts";
import { SchemoeError } from "../../lib/types.ts";
import { hiddenEngine } from "../adaptive/hidden.ts";
import { nameOf } from "../../lib/layer/auto/grid.ts";
import { byCapacity } from "../schedulers/by_capacity.ts";

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
  await steps(layer, 28);
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
  assert(log.filter(({ event }) => event === "trial").length <= 48);
  const run = await layer.forward({ scheduler: "auto" });
  assertEquals(run.name, `auto: ${candidateName(forward)}`);
  assertEquals(layer.tuning.log.length, log.length);
});

Deno.test('scheduler "auto" is never behind what Tutel\'s search tries, whatever it predicted, and logs these trials', async () => {
  // it is shown links that are as good as free, so that nothing seems to be gained by overlap
  const free = { alpha: 1e-7, beta: 1e-12 };
  const wrong = topology({ ...sizes, intra: free, inter: free, processor });
  const links = { intra: { alpha: 3e-5, beta: 2e-8 }, inter: { alpha: 1e-4, beta: 6e-8 } };
  const slow = topology({ ...sizes, ...links, processor });
  const grid = { schedulers: ["sequential", "tutel", "optSche"], allToAlls: ["linear"] };
  const layer = createLayer(hiddenEngine({ shown: wrong, real: slow, noise: 0.05 }), config);
  layer.auto = { ...grid, candidates: 1 };
  await steps(layer, 26);
  const { forward, backward, log } = layer.tuning;
  const exact = createLayer(openEngine({ kind: "simulate", topology: slow }), config);
  for (const [pass, chosen] of [["forward", forward], ["backward", backward]] as const) {
    await exact.forward(forward);
    const { makespan } = await exact[pass](chosen!);
    const first = log.find((entry) => entry.pass === pass && entry.event === "trial")!;
    const predicted = (await exact[pass](first.choices)).makespan;
    let best = Infinity;
    for (const chunks of [1, 2, 4, 8]) {
      const choices = { scheduler: "tutel", allToAll: "linear", chunks };
      best = Math.min(best, (await exact[pass](choices)).makespan);
    }
    assert(predicted > 1.1 * best, `${pass}: the prediction was right`);
    assert(makespan <= 1.05 * best, `${pass}: ${makespan} of ${best}`);
    const own = log.filter((entry) => entry.pass === pass);
    const baselines = own.filter(({ event, text }) => event === "trial" && /baseline/.test(text));
    assert(new Set(baselines.map(({ text }) => text)).size >= 4, `${baselines.length}`);
    assertMatch(
      own[0].text,
      /; 1 are tried and \d baselines in turn with them, in up to 24 trials$/,
    );
    const { text } = own.find(({ event }) => event === "chosen")!;
    assertMatch(text, /^chosen after \d+ trials: .*(, a baseline|times as fast as tutel)/);
  }
});

Deno.test('scheduler "auto" spends no more trials than it is given, on predictions and baselines in turn', async () => {
  for (const [trials, repeats, firsts] of [[6, 2, 4], [6, 1, 6], [2, 3, 1], [1, 3, 1]]) {
    const layer = createLayer(hiddenEngine({ shown, real, noise: 0.01 }), config);
    layer.auto = { trials, repeats, drift: 1000 };
    await steps(layer, 8);
    const log = layer.tuning.log.filter(({ pass }) => pass === "forward");
    const tried = log.filter(({ event }) => event === "trial");
    assert(tried.length <= trials, `${tried.length} of ${trials}`);
    const names = tried.map(({ text }) => text);
    assertEquals(new Set(names).size, firsts);
    if (trials > 2) assert(/baseline/.test(names[1]) && !/baseline/.test(names[0]), names[1]);
    assertEquals(log.filter(({ event }) => event === "chosen").length, 1);
  }
});

Deno.test('scheduler "auto" tunes again when times drift, and says so', async () => {
  const engine = hiddenEngine({ shown, real });
  const layer = createLayer(engine, config);
  await steps(layer, 28);
  const before = layer.tuning.log.length;
  engine.become(topology({ ...sizes, inter: { alpha: 1e-4, beta: 6e-7 }, processor }));
  await steps(layer, 36);
  const later = layer.tuning.log.slice(before);
  const [drift] = later.filter(({ event }) => event === "drift");
  assertMatch(drift.text, /^the last 5 runs took [\d.]+ times what was measured; tuned again$/);
  assertEquals(later.filter(({ event }) => event === "chosen").length, 2);
  // what is predicted has not changed, and the choice is tried first
  const [again, first] = later.filter(({ pass }) => pass === drift.pass).slice(1);
  assertMatch(again.text, /^as before; 6 are tried and \d baselines in turn with them/);
  assertEquals(first.text.replace(/ \(a baseline\)$/, ""), candidateName(drift.choices!));
});

Deno.test('scheduler "auto" tries less and less on a machine whose times always change', async () => {
  const engine = hiddenEngine({ shown, real });
  const slower = topology({ ...sizes, inter: { alpha: 2e-4, beta: 1.2e-7 }, processor });
  const layer = createLayer(engine, config);
  layer.auto = { trials: 6, repeats: 2 };
  let runs = 0;
  for (let i = 0; i < 40; i++) {
    engine.become(i % 2 === 0 ? real : slower);
    for (let j = 0; j < 25; j++) runs += Number(!!await layer.forward({ scheduler: "auto" }));
  }
  const { log } = layer.tuning;
  const drifts = log.filter(({ event }) => event === "drift").length;
  const trials = log.filter(({ event }) => event === "trial").length;
  assert(drifts >= 1 && drifts <= 8, `${drifts} drifts`);
  assert(trials < 0.1 * runs, `${trials} trials of ${runs} runs`);
});

Deno.test('scheduler "auto" takes for a drift nothing that trials of the choice took too', async () => {
  const engine = hiddenEngine({ shown, real, noise: 0.5 });
  const layer = createLayer(engine, config);
  for (let i = 0; i < 150; i++) await layer.forward({ scheduler: "auto" });
  const drifts = layer.tuning.log.filter(({ event }) => event === "drift").length;
  assert(drifts <= 1, `${drifts} drifts`);
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
  layer.auto = { trials: 2, repeats: 1, drift: 1000 };
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
  assert(orders.length > 1 && orders.length <= 3, `${orders.length} trials`);
});

Deno.test("no scheduler with chunks of its own is a candidate where the user chose chunks, which keep their bits", () => {
  const schedulersOf = (fixed: PassChoices) => [
    ...new Set(
      candidatesOf("forward", { fixed, topology: shown, capacity: 24 }).map(({ scheduler }) =>
        nameOf(scheduler)
      ),
    ),
  ];
  const all = schedulersOf({});
  assert(all.includes("fasterMoE") && !all.includes("exact"), `${all}`);
  assertEquals(schedulersOf({ chunks: 1 }), all);
  assertEquals(schedulersOf({ chunks: 2 }), all.filter((name) => byCapacity.includes(name)));
  assertEquals(schedulersOf({ chunks: 2, scheduler: "fasterMoE" }), ["fasterMoE"]);
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

Deno.test('scheduler "auto" takes objects made anew for each pass for what they say, and runs them', async () => {
  using engine = openEngine({ kind: "cpu", ...sizes, links: "plain" });
  const given: readonly (() => PassChoices)[] = [
    () => ({ compressor: { dispatch: "fp8", combine: "bf16" } }),
    () => ({ compressor: fixedRateZfp({ rate: 8 }), chunks: expertWaves(2) }),
    () => ({ compressor: { ...plainFloats(), self: [] as unknown[] }, chunks: 2 }),
  ];
  for (const choices of given) {
    using layer = createLayer(engine, config);
    layer.auto = { trials: 2, repeats: 1, drift: 1000 };
    for (let i = 0; i < 6; i++) await layer.forward({ scheduler: "auto", ...choices() });
    const events = layer.tuning.log.map(({ event }) => event);
    assertEquals(events, ["predicted", "trial", "trial", "chosen"]);
    // another one is tuned by itself
    await layer.forward({ scheduler: "auto", compressor: fixedRateZfp({ rate: 4 }) });
    assertEquals(layer.tuning.log.length, 6);
  }
  using layer = createLayer(engine, config);
  layer.auto = { trials: 1, repeats: 1, drift: 1000 };
  const encoded: number[] = [];
  for (let i = 0; i < 3; i++) {
    const counted = plainFloats();
    const encode = (values: Float32Array) => {
      encoded[i] = (encoded[i] ?? 0) + values.length;
      return counted.encode(values);
    };
    await layer.forward({ scheduler: "auto", compressor: { ...counted, encode } });
  }
  assertEquals(encoded.length, 3);
  assert(encoded.every((count) => count === encoded[0]), `${encoded}`);
});

/** A codec that changes nothing. */
const plainFloats = () => ({
  name: "plainFloats",
  wireBytes: ({ rows, columns }: { rows: number; columns: number }) => 4 * rows * columns,
  encode: (values: Float32Array) => new Uint8Array(values.slice().buffer),
  decode: (bytes: Uint8Array) => new Float32Array(bytes.slice().buffer),
});

Deno.test('scheduler "auto" goes by options that are set later, and one pass at a time', async () => {
  using engine = openEngine({ kind: "cpu", ...sizes, links: "plain" });
  using layer = createLayer(engine, config);
  layer.auto = { trials: 1, repeats: 1, drift: 1000 };
  await layer.forward({ scheduler: "auto" });
  assert(layer.tuning.forward);
  layer.auto = { schedulers: ["tutel"], chunks: [2], allToAlls: ["linear"] };
  const { configuration } = await layer.forward({ scheduler: "auto" });
  assertEquals([configuration.scheduler, configuration.chunks], ["tutel", 2]);
  layer.auto = { schedulers: ["tutel"], chunks: [1, 2], allToAlls: ["linear"], trials: 4 };
  const before = layer.tuning.log.length;
  const both = [1, 2].map(() => layer.forward({ scheduler: "auto" }));
  const [first, second] = await Promise.allSettled(both);
  assertEquals(first.status, "fulfilled");
  assert(second.status === "rejected" && /is in progress, await it/.test(second.reason.message));
  const trials = layer.tuning.log.slice(before).filter(({ event }) => event === "trial");
  assertEquals(trials.length, 1);
});

Deno.test('scheduler "auto" tells what is wrong with what it may choose from', async () => {
  const layer = createLayer(openEngine({ kind: "simulate", ...sizes }), config);
  const wrong: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ schedulers: "optSche" }, 'schedulers is "optSche", not a list'],
    [{ chunks: [] }, "chunks is an empty list"],
    [{ chunks: [1.5] }, "chunks has 1.5, not an integer from 1 on"],
    [{ chunks: [undefined] }, "chunks has undefined, not an integer from 1 on"],
    [{ chunks: [999] }, "no candidate has chunks for 24 places an expert, of 999"],
    [{ schedulers: ["auto"] }, 'cannot be "auto"'],
    [{ allToAlls: ["pip"] }, 'Unknown allToAll "pip"'],
    [{ compressors: ["fp9"] }, 'Unknown compressor "fp9"'],
    [
      { schedulers: ["tutel", { ...sequential, name: "tutel" }] },
      'two schedulers are called "tutel"',
    ],
  ];
  for (const [auto, text] of wrong) {
    layer.auto = auto as never;
    await assertRejects(() => layer.forward({ scheduler: "auto" }), SchemoeError, text);
  }
});

Deno.test('scheduler "auto" runs both passes of a layer with fewer places than ranks', async () => {
  const world = topology({ nodes: 3, ranksPerNode: 1 });
  const layer = createLayer(openEngine({ kind: "simulate", topology: world }), {
    ...{ tokens: 7, modelDim: 8, hiddenDim: 16, experts: 9, gate: topK({ k: 1 }) },
    routing: { capacityFactor: 1 },
  });
  await steps(layer, 24);
  assert(layer.tuning.forward && layer.tuning.backward);
});

Deno.test("rankCandidates() bounds schedulers apart that split a pass, or add up gradients, in their own way", async () => {
  const layer = createLayer(openEngine({ kind: "simulate", topology: real }), config);
  await layer.forward();
  const free = { ...sequential, name: "free", reassociate: true };
  const groups = { ...fasterMoE, name: "groups" };
  const grid = { schedulers: [sequential, free, groups], chunks: [4], allToAlls: ["linear"] };
  const candidates = candidatesOf("backward", { grid, topology: real, capacity: 24 });
  const { ranked } = await rankCandidates(layer, "backward", candidates, { margin: 1000 });
  for (const { choices, bound } of ranked) {
    const run = await layer.backward({ ...choices, bound: true });
    assertEquals(bound, run.bound, candidateName(choices));
  }
  const pruned = await rankCandidates(layer, "backward", candidates, { margin: -1 });
  assertEquals(pruned.simulated, 3);
});

Deno.test("orderOf() tells apart what runs differently, and nothing else", async () => {
  const layer = createLayer(openEngine({ kind: "simulate", ...sizes }), config);
  const order = async (scheduler: string, chunks: number) =>
    orderOf(await layer.forward({ scheduler, chunks }));
  assertEquals(await order("optSche", 2), await order("pipeMoE", 2));
  assert(await order("optSche", 2) !== await order("optSche", 4));
  // in one order, but sequential has phases wait for each other that pipe runs at once
  const layerOf3 = createLayer(openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 3 }), {
    ...config,
    experts: 6,
  });
  const runs = async (allToAll: string) => [
    await layerOf3.forward({ scheduler: "sequential", allToAll }),
    await layerOf3.forward({ scheduler: "optSche", allToAll }),
  ];
  const [chained, free] = await runs("pipe");
  assert(free.makespan < chained.makespan, "they run alike");
  assert(orderOf(chained) !== orderOf(free));
  const [one, other] = await runs("linear");
  assertEquals(orderOf(one), orderOf(other));
  const names = ["sequential", "optSche"];
  const tuned = await tune(layerOf3, { schedulers: names, allToAlls: ["pipe"], chunks: [1] });
  assertEquals(tuned.forward.scheduler, "optSche");
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
