import { assert, assertAlmostEquals, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { calibrate, parseProfile } from "../../lib/adaptive/mod.ts";
import { bySimulation, type TimedProgram } from "../../lib/adaptive/by_simulation.ts";
import { createLayer, simulated } from "../../lib/layer/mod.ts";
import { sharedProcessor, topology } from "../../lib/topology.ts";
import { openEngine } from "../../lib/engines/mod.ts";
import type { Engine, Program } from "../../lib/engine.ts";
import { SchemoeError } from "../../lib/types.ts";
import { hiddenEngine } from "./hidden.ts";

const sizes = { nodes: 2, ranksPerNode: 2 };
const shown = topology(sizes);
const real = topology({
  ...sizes,
  intra: { alpha: 3e-5, beta: 2e-8 },
  inter: { alpha: 2e-4, beta: 9e-8 },
  local: { beta: 5e-9 },
  processor: { alpha: 4e-5, flopRate: 3e10, byteRate: 2e9 },
});
const layer = { tokens: 128, modelDim: 64, hiddenDim: 128, experts: 8 };
const near = (found: number, wanted: number, part: number) =>
  assert(Math.abs(found / wanted - 1) <= part, `${found} is not ${wanted} within ${part}`);

Deno.test("calibrate() recovers alpha, beta and rates that the engine does not tell", async () => {
  const profile = await calibrate(hiddenEngine({ shown, real }), { seconds: 1000, layer });
  const { links, slowdown } = profile;
  near(links.inter.alpha.value, 2e-4, 1e-6);
  near(links.inter.beta.value, 9e-8, 1e-6);
  near(links.intra.alpha.value, 3e-5, 1e-6);
  near(links.intra.beta.value, 2e-8, 1e-6);
  near(links.local.value, 5e-9, 1e-6);
  assertAlmostEquals(links.alpha.value, 0, 1e-9);
  assert(links.quality.r2 > 0.999999 && links.bySize.length > 20, `${links.quality.r2}`);
  const expert = profile.kinds.find(({ kind }) => kind.startsWith("expert "))!;
  near(expert.perFlop.value, 1 / 3e10, 1e-6);
  near(expert.alpha.value, 4e-5, 1e-6);
  const coded = profile.kinds.filter(({ kind }) => kind.startsWith("compress encode:"));
  assertEquals(coded.length, 4, "one kind for each codec, and packing without one");
  for (const { perByte } of coded) near(perByte.value, 1 / 2e9, 1e-6);
  assertEquals(slowdown, { compute: 1, communication: 1 });
  assertEquals(profile.processors, undefined, "every lane has a processor of its own");
});

Deno.test("calibrate() tells numbers that are handled one by one and operands of products from operations", async () => {
  const engine = hiddenEngine({ shown, real, element: 5e-9, operand: 1e-10 });
  const profile = await calibrate(engine, { seconds: 1000, layer, codecs: [] });
  const fit = profile.kinds.find(({ kind }) => kind.startsWith("expertInputGrad "))!;
  near(fit.perFlop.value, 1 / 3e10, 1e-4);
  near(fit.perElement.value, 5e-9, 1e-4);
  near(fit.perByte.value, 1e-10, 1e-3);
  // narrower and of more tokens than any that was measured: their parts are others
  const held = createLayer(engine, { tokens: 312, modelDim: 24, hiddenDim: 240, experts: 4 });
  const predicted = simulated(held, profile);
  for (const pass of ["forward", "backward"] as const) {
    const choices = { scheduler: "optSche", allToAll: "pipe", chunks: 2 };
    near((await predicted[pass](choices)).makespan, (await held[pass](choices)).makespan, 1e-3);
  }
});

Deno.test("calibrate() states what it is unsure of: noise widens the intervals, which hold the truth", async () => {
  const engine = hiddenEngine({ shown, real, noise: 0.1 });
  const { links } = await calibrate(engine, { seconds: 1000, layer, codecs: [] });
  const { value, least, most } = links.inter.beta;
  near(value, 9e-8 * 1.05, 0.04);
  assert(least < value && value < most && links.quality.noise > 0.005, `${links.quality.noise}`);
});

Deno.test("calibrate() finds that ranks share a processor, and transfers slow computation down", async () => {
  const shared = sharedProcessor(real, 2);
  const one = await calibrate(hiddenEngine({ shown, real: shared }), {
    seconds: 1000,
    layer,
    codecs: [],
  });
  near(one.processors!.capacity, 2, 0.02);
  assertEquals(one.processors!.turns, undefined, "they share it evenly at any time");
  const contention = { compute: 1.4, communication: 1.2 };
  const engine = hiddenEngine({ shown, real: { ...real, contention } });
  const { slowdown } = await calibrate(engine, { seconds: 1000, layer, codecs: [] });
  near(slowdown.compute, 1.4, 0.08);
  near(slowdown.communication, 1.2, 0.08);
});

Deno.test("calibrate() tells what passes before operations begin from what they take", async () => {
  const launch = {
    compute: { begin: 4e-5, next: 1e-6, wait: 8e-6 },
    transfer: { begin: 1e-5, next: 2e-6, wait: 6e-6 },
  };
  for (const world of [real, sharedProcessor(real, 2)]) {
    const engine = hiddenEngine({ shown, real: world, launch });
    const profile = await calibrate(engine, { seconds: 1000, layer, codecs: [] });
    for (const kind of ["compute", "transfer"] as const) {
      for (const after of ["begin", "next", "wait"] as const) {
        near(profile.launch[kind][after], launch[kind][after], 1e-6);
      }
    }
    near(profile.links.inter.alpha.value, 2e-4, 1e-6);
    const held = createLayer(engine, { tokens: 200, modelDim: 96, hiddenDim: 160, experts: 8 });
    const choices = { scheduler: "optSche", allToAll: "pipe", chunks: 4 };
    const run = await held.forward(choices);
    near(simulated(run, profile).makespan, run.makespan, world.sharing ? 0.02 : 1e-3);
  }
});

Deno.test("calibrate() finds processors on which lanes take turns, and what transfers need of them", async () => {
  for (const [capacity, transfers] of [[2, "first"], [1.5, "inTurn"]] as const) {
    const of = [0, 0, 0, 0];
    const sharing = { of, capacity: [capacity], turns: { slice: 3e-3, transfers } };
    const launch = {
      compute: { begin: 4e-5, next: 1e-7, wait: 8e-6 },
      transfer: { begin: 1e-5, next: 2e-7, wait: 6e-6 },
    };
    const engine = hiddenEngine({ shown, real: { ...real, sharing }, launch });
    const profile = await calibrate(engine, { seconds: 1000, layer, codecs: [] });
    near(profile.processors!.capacity, capacity, 0.05);
    const { turns } = profile.processors!;
    assertEquals([turns!.count, turns!.transfers], [2, transfers]);
    near(turns!.slice!, 3e-3, 0.05);
    near(profile.launch.compute.begin, 4e-5, 1e-3);
    assertEquals(profile.slowdown, { compute: 1, communication: 1 });
    const held = createLayer(engine, { tokens: 200, modelDim: 96, hiddenDim: 160, experts: 8 });
    for (const scheduler of ["sequential", "optSche", "tutel"]) {
      const run = await held.forward({ scheduler, allToAll: "pipe", chunks: 2 });
      near(simulated(run, profile).makespan, run.makespan, 0.06);
    }
  }
});

Deno.test("calibrate() finds that ranks' tasks run one after another in a queue, and transfers among them", async () => {
  const of = [0, 0, 0, 0];
  for (const transfers of ["inTurn", undefined] as const) {
    const sharing = { of, capacity: [1], turns: { transfers } };
    const processor = { ...real.processor, alpha: 0 };
    const engine = hiddenEngine({ shown, real: { ...real, processor, sharing } });
    const { processors } = await calibrate(engine, { seconds: 1000, layer, codecs: [] });
    near(processors!.capacity, 1, 0.02);
    assertEquals(processors!.turns, { count: 1, ...(transfers ? { transfers } : {}) });
  }
});

Deno.test("calibrate() finds how much of small kernels' time leaves a queue's processor to others", async () => {
  const hidden = {
    shown,
    real: {
      ...real,
      processor: { ...real.processor, alpha: 3e-4 },
      sharing: { of: [0, 0, 0, 0], capacity: [1], turns: { count: 1 } },
    },
    latency: 0.6,
  };
  const engine = hiddenEngine(hidden);
  const profile = await calibrate(engine, { seconds: 1000, layer, codecs: [] });
  for (const { kind, alpha, busy, tile } of profile.kinds) {
    // all ranks begin with it at the same time
    if (kind.startsWith("gate fill")) assert(busy!.alpha.value < 0.6 * alpha.value, kind);
    assert(busy !== undefined && tile === undefined, `${kind}: whole tiles are no better`);
  }
  using made = createLayer(engine, { ...layer, tokens: 64 });
  const queued = { ...profile, kinds: profile.kinds.map(({ busy: _, ...fit }) => fit) };
  for (const chunks of [1, 4]) {
    const run = await made.forward({ scheduler: "optSche", chunks, allToAll: "linear" });
    near(simulated(run, profile).makespan, run.makespan, 0.05);
    assert(simulated(run, queued).makespan > 1.1 * run.makespan, "small kernels do not matter");
  }
});

Deno.test("bySimulation() finds the number for which Programs take what they took, or the nearer end", () => {
  const seconds = new Map([1, 2, 3].map((time) => [{} as Program, time]));
  const timed: TimedProgram[] = [...seconds].map(([program, time]) => ({ program, seconds: time }));
  const predict = (program: Program, value: number) => seconds.get(program)! * (0.4 + 2 * value);
  near(bySimulation(timed, [1 / 64, 1], predict), 0.3, 0.01);
  assertEquals(bySimulation(timed, [0.5, 1], predict), 0.5);
  assertEquals(bySimulation(timed, [0.1, 0.2], predict), 0.2);
});

Deno.test("calibrate() goes by warm tasks where those alone are cold", async () => {
  const engine = hiddenEngine({ shown, real, cold: 1.5 });
  const { kinds, slowdown } = await calibrate(engine, { seconds: 1000, layer, codecs: [] });
  const expert = kinds.find(({ kind }) => kind.startsWith("expert "))!;
  near(expert.perFlop.value, 1 / 3e10, 1e-6);
  assertEquals(slowdown, { compute: 1, communication: 1 });
});

Deno.test("simulated(layer, profile) predicts layers and choices that were not measured", async () => {
  const engine = hiddenEngine({ shown, real });
  const profile = await calibrate(engine, { seconds: 1000, layer });
  const held = createLayer(engine, { tokens: 200, modelDim: 96, hiddenDim: 160, experts: 8 });
  const predicted = simulated(held, profile);
  const choices = {
    scheduler: "fasterMoE",
    allToAll: "hierarchical1d",
    chunks: 2,
    compressor: "int8",
  };
  for (const pass of ["forward", "backward"] as const) {
    near((await predicted[pass](choices)).makespan, (await held[pass](choices)).makespan, 1e-3);
  }
  const run = await held.forward(choices);
  near(simulated(run, profile).makespan, run.makespan, 1e-3);
});

Deno.test("calibrate() reuses a profile until its predictions drift", async () => {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.remove(path);
  try {
    const engine = hiddenEngine({ shown, real });
    const options = { layer, codecs: [], path, seconds: 1000 };
    const first = await calibrate(engine, options);
    const runs = engine.runs;
    assertEquals(await calibrate(engine, options), first);
    assert(engine.runs - runs < 10, "it was measured again");
    const { links } = real;
    engine.become({ ...real, links: { ...links, inter: { ...links.inter, beta: 2e-7 } } });
    const second = await calibrate(engine, options);
    near(second.links.inter.beta.value, 2e-7, 1e-6);
    assertMatch(second.replaces!, /^it predicts a pass \d+ % too short, more than 10 %/);
    assertEquals(first.replaces, undefined);
    assertEquals(parseProfile(await Deno.readTextFile(path)), second);
  } finally {
    await Deno.remove(path).catch(() => {});
  }
});

Deno.test("calibrate() gives a profile at the speed of now where the machine computes slower, and nothing else changed", async () => {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.remove(path);
  try {
    const { alpha, flopRate, byteRate } = real.processor;
    const machine = (speed: number) => ({
      ...real,
      processor: { alpha: alpha / speed, flopRate: flopRate * speed, byteRate: byteRate * speed },
    });
    const engine = hiddenEngine({ shown, real: machine(0.1) });
    const options = { layer, codecs: [], path, seconds: 1000 };
    const first = await calibrate(engine, options);
    engine.become(machine(0.05));
    const runs = engine.runs;
    const second = await calibrate(engine, options);
    assert(engine.runs - runs < 30, "it was measured again");
    near(second.speed!, 0.5, 1e-6);
    for (const [i, { perFlop }] of second.kinds.entries()) {
      near(perFlop.value + 1e-30, 2 * first.kinds[i].perFlop.value + 1e-30, 1e-6);
    }
    assertEquals(second.links, first.links);
    assertEquals(
      parseProfile(await Deno.readTextFile(path)),
      first,
      "the file has what was measured",
    );
  } finally {
    await Deno.remove(path).catch(() => {});
  }
});

Deno.test("calibrate() measures more rounds of a machine whose speed varies, no more than there is time for", async () => {
  const steady = hiddenEngine({ shown, real });
  const { probe } = await calibrate(steady, { layer, codecs: [], seconds: 1000 });
  assert(probe!.seconds > 0 && probe!.noise < 1e-9);
  const slower = hiddenEngine({ shown, real, drift: 1e-3 });
  const drifting = await calibrate(slower, { layer, codecs: [], seconds: 1000 });
  assert(slower.runs > 1.5 * steady.runs, `${slower.runs} of ${steady.runs}`);
  assert(drifting.probe!.noise > 0.05 && drifting.probe!.seconds > probe!.seconds);
  const paced = openEngine({ kind: "cpu", topology: shown, computation: "paced" });
  const small = { tokens: 16, modelDim: 32, hiddenDim: 32, experts: 4 };
  const own = await calibrate(paced, { layer: small, codecs: [], seconds: 2 });
  paced.close();
  assertEquals(own.probe, undefined, "paced times have no speed");
});

Deno.test("profiles say what they lack: kinds of work that were not measured, fields, versions", async () => {
  const engine: Engine = hiddenEngine({ shown, real });
  const profile = await calibrate(engine, { seconds: 1000, layer, codecs: [] });
  const predicted = simulated(createLayer(engine, layer), profile);
  await assertRejects(
    () => predicted.forward({ compressor: "int8" }),
    SchemoeError,
    'the profile has no "compress encode:int8/0"',
  );
  await assertRejects(
    () => calibrate(engine, { seconds: 1000, layers: 1 } as never),
    SchemoeError,
    '"layers" is not an option',
  );
  const { links: _, ...without } = profile;
  for (
    const [text, says] of [["{", "is no JSON"], [
      "{}",
      "is no profile: its format is undefined",
    ]] as const
  ) {
    await assertRejects(async () => await parseProfile(text), SchemoeError, says);
  }
  const lacks = JSON.stringify(without);
  await assertRejects(async () => await parseProfile(lacks), SchemoeError, 'lacks "links"');
});

Deno.test("calibrate() takes the largest number of tokens of a rank, and names sizes that are none", async () => {
  const engine = openEngine({ kind: "simulate", ...sizes });
  const given = { ...layer, tokens: [64, 0, 128, 32] };
  assertEquals(
    (await calibrate(engine, { layer: given, codecs: [] })).kinds,
    (await calibrate(engine, { layer, codecs: [] })).kinds,
  );
  for (
    const [wrong, text] of [
      [{}, "tokens must be a positive integer, got undefined"],
      [{ ...layer, tokens: [] }, "tokens are those of 0 ranks, there are 4"],
      [{ ...layer, modelDim: "64" }, 'Cannot calibrate: layer.modelDim is "64"'],
      [{ ...layer, hiddenDim: -1 }, "Cannot calibrate: layer.hiddenDim is -1"],
    ] as const
  ) {
    await assertRejects(
      () => calibrate(engine, { layer: wrong as never }),
      SchemoeError,
      text,
    );
  }
});

Deno.test("calibrate() measures each kind of work once, however little time it is given", async () => {
  using engine = openEngine({ kind: "simulate", topology: shown });
  const placed = { ...layer, parallel: { expert: 2 } };
  const codecs = ["int8", "fp8", "zfp"];
  const kindsIn = async (seconds: number) => {
    const { kinds } = await calibrate(engine, { seconds, layer: placed, codecs });
    return kinds.map(({ kind }) => kind).toSorted();
  };
  const [short, long] = [await kindsIn(1e-9), await kindsIn(1000)];
  assertEquals(short, long);
  for (const codec of codecs) assert(short.some((kind) => kind.includes(codec)), codec);
});
