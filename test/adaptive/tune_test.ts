import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { calibrate, tune, Tuned } from "../../lib/adaptive/mod.ts";
import { topK } from "../../lib/blocks/mod.ts";
import { openEngine } from "../../lib/engines/mod.ts";
import {
  candidateName,
  candidatesOf,
  createLayer,
  createStack,
  type PassRunner,
} from "../../lib/layer/mod.ts";
import { uniforms } from "../../lib/random.ts";
import { optSche, sequential } from "../../lib/schedulers/mod.ts";
import { topology } from "../../lib/topology.ts";
import { SchemoeError } from "../../lib/types.ts";
import { hiddenEngine } from "./hidden.ts";

const sizes = { nodes: 2, ranksPerNode: 2 };
const shown = topology(sizes);
const processor = { alpha: 2e-5, flopRate: 4e9, byteRate: 1e9 };
const real = topology({
  ...sizes,
  intra: { alpha: 3e-5, beta: 2e-8 },
  inter: { alpha: 1e-4, beta: 6e-8 },
  processor,
});
const config = { tokens: 96, modelDim: 64, hiddenDim: 128, experts: 8, gate: topK({ k: 2 }) };

/** Least time of the whole grid, without noise. */
async function bestOf(pass: "forward" | "backward", runner: PassRunner): Promise<number> {
  let best = Infinity;
  for (const choices of candidatesOf(pass, { topology: real, capacity: 24 })) {
    best = Math.min(best, (await runner[pass](choices)).makespan);
  }
  return best;
}

Deno.test("tune() finds the best of the grid, and proves how far it can be off", async () => {
  const engine = hiddenEngine({ shown, real, noise: 0.01 });
  const profile = await calibrate(engine, { layer: config, codecs: [], seconds: 1000 });
  const layer = createLayer(engine, config);
  const tuned = await tune(layer, { profile, budget: { seconds: 1000 } });
  const exact = createLayer(openEngine({ kind: "simulate", topology: real }), config);
  for (const pass of ["forward", "backward"] as const) {
    const best = await bestOf(pass, exact);
    await exact.forward(tuned.forward);
    const { makespan } = await exact[pass](tuned[pass]!);
    assert(makespan <= best * 1.01, `${pass}: ${makespan} of ${best}\n${tuned}`);
    // nothing of the grid is further ahead than what is proven
    assert(makespan / best - 1 <= tuned.regret[pass] + 0.02, `${tuned.regret[pass]}`);
  }
  const [forward] = tuned.passes;
  assert(forward.pruned.length > 0 && forward.simulated < forward.candidates, tuned.summary);
  for (const { bound } of forward.pruned) {
    assert(bound > forward.rows[0].seconds, "a graph was left out that could be the best");
  }
  assert(/no candidate is faster by more than [\d.]+ %/.test(tuned.summary), tuned.summary);
  assertEquals(`${tuned}`.match(/\(chosen\)/g)?.length, 2, "one of each pass, wherever it ranks");
  assertMatch(`${tuned}`, /\ntokens 96 a rank .*\n2 x 2 ranks/, "of what the times are");
  const svg = await tuned.svg();
  assert(/<svg[^]*Candidates[^]*<\/svg>/.test(svg));
  const texts = [...svg.matchAll(/>([^<>]+)</g)].map(([, text]) => text).join("\n");
  assertMatch(texts, /^tokens \d+.* · modelDim /m);
  assertMatch(texts, /^\d+ x \d+ ranks/m);
});

Deno.test("tune() returns nothing slower than what Tutel's search tries, whatever it predicted and however runs scatter", async () => {
  // it is shown links that are as good as free, so that nothing seems to be gained by overlap
  const free = { alpha: 1e-7, beta: 1e-12 };
  const wrong = topology({ ...sizes, intra: free, inter: free, processor });
  const slow = topology({ ...sizes, intra: real.links.intra, inter: real.links.inter, processor });
  const grid = { schedulers: ["sequential", "tutel", "optSche"], allToAlls: ["linear"] };
  const exact = createLayer(openEngine({ kind: "simulate", topology: slow }), config);
  const engine = hiddenEngine({ shown: wrong, real: slow, noise: 0.3 });
  const options = { ...grid, finalists: 1, budget: { seconds: 1000 } };
  const tuned = await tune(createLayer(engine, config), options);
  for (const pass of ["forward", "backward"] as const) {
    await exact.forward(tuned.forward);
    const { makespan } = await exact[pass](tuned[pass]!);
    const first = tuned.passes.find((one) => one.pass === pass)!.rows[0];
    const predicted = (await exact[pass](first.choices)).makespan;
    let best = Infinity;
    for (const chunks of [1, 2, 4, 8]) {
      const choices = { scheduler: "tutel", allToAll: "linear", chunks };
      best = Math.min(best, (await exact[pass](choices)).makespan);
    }
    assert(predicted > 1.1 * best, `${pass}: the prediction was right\n${tuned}`);
    assert(makespan <= 1.05 * best, `${pass}: ${makespan} of ${best}\n${tuned}`);
  }
});

Deno.test("tune() says that its bounds are not of this engine where a pass takes less", async () => {
  const slow = topology({ nodes: 2, ranksPerNode: 2, inter: { bandwidth: "1 MB/s" } });
  using engine = openEngine({ kind: "cpu", topology: slow, links: "plain" });
  using layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 32, experts: 4 });
  const { summary, regret } = await tune(layer, { budget: { runs: 12 }, chunks: [1] });
  assertEquals(regret, { forward: Infinity, backward: Infinity });
  assert(!summary.includes("no candidate is faster"), summary);
  assert(
    /^forward.*: measured in less than the bound.*calibrate\(engine\)$/m.test(summary),
    summary,
  );
});

Deno.test("tune() measures no more than its budget", async () => {
  const engine = hiddenEngine({ shown, real });
  const layer = createLayer(engine, config);
  const tuned = await tune(layer, { budget: { runs: 8, seconds: 1000 } });
  assert(tuned.made.runs <= 8, tuned.summary);
  assert(tuned.passes.every(({ chosen }) => chosen.measured.length > 0));
  await assertRejects(() => tune(layer, { budget: { runs: 0 } }), SchemoeError, "is none");
  const text = { budget: { runs: "5" } } as never;
  await assertRejects(() => tune(layer, text), SchemoeError, 'and "5" runs is none');
});

Deno.test("tune() takes codecs only within the error that is allowed", async () => {
  using engine = openEngine({ kind: "cpu", ...sizes, computation: "paced" });
  const small = { tokens: 32, modelDim: 64, hiddenDim: 64, experts: 4, gate: topK({ k: 1 }) };
  using layer = createLayer(engine, small);
  const options = {
    codecs: ["fp16", "int4"],
    budget: { seconds: 1000 },
    finalists: 2,
    repeats: 1,
    schedulers: ["optSche"],
    allToAlls: ["pipe"],
    chunks: [1],
  };
  const exact = await tune(layer, options);
  assertEquals([exact.forward.compressor, exact.backward!.compressor], ["none", "none"]);
  const close = await tune(layer, { ...options, error: 0.01 });
  assert(close.passes.every(({ rows }) => rows.every((row) => row.choices.compressor !== "int4")));
  const [fp16, int4] = close.made.errors;
  assert(fp16.forward < 0.001 && int4.forward > 0.01, `${fp16.forward} ${int4.forward}`);
  // half of the bytes over links that are most of the time
  const { choices } = close.passes[0].rows[0];
  assertEquals(choices.compressor, "fp16");
});

Deno.test("tune() refuses what it cannot do, naming it", async () => {
  using engine = openEngine({ kind: "simulate", ...sizes });
  const layer = createLayer(engine, config);
  await assertRejects(() => tune(layer, { error: 0.1 }), SchemoeError, "computes no values");
  await assertRejects(() => tune(config), SchemoeError, "give an engine");
  await assertRejects(
    () => tune(layer, { finalist: 3 } as never),
    SchemoeError,
    'did you mean "finalists"',
  );
  const same = { ...sequential, name: "tutel" };
  const wrong: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ finalists: 0 }, "finalists is 0, not an integer from 1 on"],
    [{ repeats: NaN }, "repeats is NaN"],
    [{ budget: 5 }, "budget must be an object of seconds, runs, got 5"],
    [{ budget: { second: 5 } }, 'did you mean "seconds"'],
    [{ schedulers: [] }, "schedulers is an empty list"],
    [{ schedulers: ["tutel", same] }, 'two schedulers are called "tutel"'],
    [{ schedulers: ["auto"] }, 'cannot be "auto"'],
    [{ codecs: "fp8" }, 'codecs is "fp8", not a list'],
    [{ codecs: ["fp9"] }, 'Unknown compressor "fp9"'],
    [{ chunks: [1000] }, "no candidate has chunks for 24 places an expert, of 1000"],
  ];
  for (const [options, text] of wrong) {
    await assertRejects(() => tune(layer, options as never), SchemoeError, text);
  }
  await assertRejects(() => tune(layer, null as never), SchemoeError, "got null");
});

Deno.test("tune() chooses among engines, which differ in what is fixed when they are opened", async () => {
  const blocks = (bandwidth: string) =>
    openEngine({
      kind: "simulate",
      topology: topology({ ...sizes, inter: { bandwidth }, processor }),
    });
  const engines = { "2 blocks": blocks("20 MB/s"), "8 blocks": blocks("80 MB/s") };
  const tuned = await tune(config, { engines, budget: { seconds: 1000 }, chunks: [1, 2] });
  assertEquals(tuned.engine, "8 blocks");
  assertEquals(tuned.gradientChunks, undefined);
  assertEquals(tuned.variants.length, 2);
  const table = `${tuned}`;
  assert(/^engine +gradient chunks +forward +backward +step$/m.test(table), table);
  assert(/^8 blocks .*\(chosen\)$/m.test(table) && /^2 blocks .*[^)]$/m.test(table), table);
  assert(tuned.summary.startsWith("engine 8 blocks: the best of 2\n"), tuned.summary);
  // the engine of a layer that runs is what it is
  const layer = createLayer(engines["2 blocks"], config);
  await assertRejects(() => tune(layer, { engines }), SchemoeError, "give its sizes");
  await assertRejects(
    () => tune(config, { engines, profiles: { "4 blocks": {} as never } }),
    SchemoeError,
    'no engine "4 blocks"',
  );
});

Deno.test("tune() chooses how a stack's reductions are cut, its passes as a whole", async () => {
  const world = topology({
    ...sizes,
    intra: { alpha: 3e-6, beta: 2e-9 },
    inter: { alpha: 1e-6, beta: 6e-8 },
    processor: { ...processor, alpha: 2e-6 },
  });
  const engine = openEngine({ kind: "simulate", topology: world });
  const stack = { layer: config, layers: 3, attention: { flops: 1e7, parameters: 3e4 } };
  const gradientChunks = [1, 4, 16];
  const grid = { schedulers: ["optSche", "tutel"], chunks: [2], allToAlls: ["pipe"] };
  const tuned = await tune(stack, { engine, gradientChunks, ...grid, budget: { seconds: 1000 } });
  const seconds: number[] = [];
  for (const count of gradientChunks) {
    const made = createStack(engine, { ...stack, gradientChunks: count });
    let best = Infinity;
    for (const scheduler of grid.schedulers) {
      await made.forward(tuned.forward);
      const choices = { scheduler, allToAll: "pipe", chunks: 2 };
      best = Math.min(best, (await made.backward(choices)).makespan);
    }
    seconds.push(best);
  }
  const best = seconds.indexOf(Math.min(...seconds));
  assert(best > 0, "the pieces do not matter");
  assertEquals(tuned.gradientChunks, gradientChunks[best]);
  assertEquals(tuned.variants.length, 3);
  // the forward pass does not depend on them, and is tuned once
  assertEquals(tuned.variants[1].passes.forward, tuned.variants[0].passes.forward);
  assert(tuned.summary.includes(`${gradientChunks[best]} pieces of reductions: the best of 3`));
  await assertRejects(
    () => tune(config, { engine, gradientChunks }),
    SchemoeError,
    "gradientChunks is for stacks",
  );
  // a stack that runs is tuned as it was made
  const made = createStack(engine, stack);
  const own = await tune(made, { ...grid, budget: { seconds: 1000 } });
  await made.forward(own.forward);
  await made.backward(own.backward);
  await assertRejects(() => tune(made, { gradientChunks }), SchemoeError, "the sizes of a stack");
});

Deno.test("tune() on a simulator chooses the best of the whole grid, of random worlds, layers and routings", async () => {
  const uniform = uniforms(11);
  const one = <T>(list: readonly T[]): T => list[Math.floor(uniform() * list.length)];
  for (let i = 0; i < 8; i++) {
    const [nodes, ranksPerNode] = one([[1, 2], [3, 1], [2, 2], [2, 3], [4, 2]] as const);
    const world = topology({
      ...{ nodes, ranksPerNode },
      intra: { alpha: 10 ** (-6 + 2 * uniform()), beta: 10 ** (-10 + 3 * uniform()) },
      inter: { alpha: 10 ** (-5 + 2 * uniform()), beta: 10 ** (-9 + 3 * uniform()) },
      processor: { alpha: 1e-5, flopRate: 10 ** (9 + 3 * uniform()), byteRate: 1e10 },
    });
    const { ranks } = world;
    const uneven = Array.from({ length: ranks }, () => 8 + Math.floor(60 * uniform()));
    const layer = createLayer(openEngine({ kind: "simulate", topology: world }), {
      tokens: one<readonly number[]>([uneven, uneven.map(() => 64), uneven.map(() => 16)]),
      modelDim: 32,
      hiddenDim: one([16, 200]),
      experts: ranks * one([1, 2]),
      gate: topK({ k: 1 }),
      routing: one([{ dropless: true }, { capacityFactor: 2 }]),
    });
    const free = { ...optSche, name: "free", reassociate: true };
    const schedulers = ["sequential", "optSche", "criticalPath", "fasterMoE", free];
    const grid = { schedulers, chunks: [1, 2, 4] };
    const tuned = await tune(layer, { ...grid, budget: { seconds: 1000 }, repeats: 1 });
    const { capacity } = (await layer.forward(tuned.forward)).configuration;
    for (const pass of ["forward", "backward"] as const) {
      await layer.forward(tuned.forward);
      const { makespan } = await layer[pass](tuned[pass]);
      const all = candidatesOf(pass, { grid, topology: world, capacity: Number(capacity) });
      for (const choices of all) {
        if (pass === "backward") await layer.forward(tuned.forward);
        const other = (await layer[pass](choices)).makespan;
        assert(
          makespan <= other * (1 + 1e-9),
          `${i} ${pass} ${candidateName(choices)} ${other} before ${makespan}\n${tuned}`,
        );
      }
    }
  }
});

Deno.test("Tuned shows the choice of a pass that was predicted to be far from the best", async () => {
  const rows = Array.from({ length: 30 }, (_, i) => ({
    choices: { scheduler: "optSche", allToAll: "linear", compressor: "none", chunks: i + 1 },
    seconds: 1e-3 * (i + 1),
    bound: 1e-3,
    kept: false,
    measured: i === 29 ? [1e-3] : [],
  }));
  const chosen = rows[29];
  const pass = {
    pass: "forward",
    rows,
    pruned: [],
    simulated: 30,
    candidates: 30,
    chosen,
  } as const;
  const made = { forward: pass, backward: undefined, errors: [], facts: [], runs: 1, seconds: 1 };
  const tuned = new Tuned(made as unknown as ConstructorParameters<typeof Tuned>[0]);
  const lines = `${tuned}`.split("\n");
  assertEquals(lines.length, 1 + 12);
  assertMatch(lines[12], /30 chunks \(chosen\)/);
  assert((await tuned.svg()).includes("30 chunks"));
});

Deno.test("tune() ends at its signal while it simulates, and tells how far it is", async () => {
  const stop = new AbortController();
  using engine = openEngine({ kind: "cpu", topology: shown, links: "plain" });
  using layer = createLayer(engine, config);
  let asked = 0;
  // a scheduler that is asked by simulations alone, and takes its time
  const slow = {
    ...optSche,
    name: "slow",
    order(...of: Parameters<typeof optSche.order>) {
      asked++;
      if (asked === 2) setTimeout(() => stop.abort("enough"));
      const until = performance.now() + 60;
      while (performance.now() < until);
      return optSche.order(...of);
    },
  };
  const chunks = Array.from({ length: 24 }, (_, i) => i + 1);
  const going = tune(layer, { schedulers: [slow], chunks, signal: stop.signal });
  const error = await assertRejects(() => going, SchemoeError, "Cannot tune: it was aborted");
  assertEquals([error.cause, error.status], ["enough", 3]);
  assert(asked < 24, `${asked} candidates were simulated`);
});
