import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { createLayer, openEngine, SchemoeError, topK, topology, whatIf } from "../../mod.ts";
import { crossings, leadChanges } from "../../lib/studies/what_if_crossings.ts";
import { calibrated } from "../../lib/studies/what_if_calibrate.ts";

const layer = { tokens: 256, modelDim: 64, hiddenDim: 128, experts: 8, gate: topK({ k: 2 }) };
const world = topology({ nodes: 2, ranksPerNode: 4 });
const setup = { layer, topology: world, choices: { chunks: 4 } };

Deno.test("crossings() finds where straight lines meet, and none where they only touch", () => {
  const x = [0, 1, 2, 3];
  const a = { name: "a", y: [0, 1, 2, 3] };
  assertEquals(crossings(x, [a, { name: "b", y: [3, 2, 1, 0] }], false), [
    { x: 1.5, y: 1.5, before: "a", after: "b" },
  ]);
  assertEquals(crossings(x, [a, { name: "b", y: [1, 1, 3, 4] }], false), []);
  // equal for a while, then the other one: half way
  assertEquals(crossings(x, [a, { name: "b", y: [1, 1, 2, 2] }], false).map(({ x }) => x), [1.5]);
  const [log] = crossings([1, 100], [{ name: "a", y: [1, 3] }, { name: "b", y: [3, 1] }], true);
  assertAlmostEquals(log.x, 10);
});

Deno.test("leadChanges() leaves out crossings below a better line", () => {
  const x = [0, 1, 2, 3];
  const a = { name: "a", y: [1, 2, 3, 4] };
  const b = { name: "b", y: [4, 3, 2, 1] };
  const best = { name: "best", y: [2, 2, 2, 2] };
  assertEquals(crossings(x, [a, b, best], false).length, 3);
  const leads = leadChanges(x, [a, b, best], false).map(({ before, after }) =>
    `${before} ${after}`
  );
  assertEquals(leads, ["a best", "best b"]);
});

Deno.test("whatIf() varies a link's latency as topology() calls it, and the ranks of a group", async () => {
  const choices = { schedulers: ["optSche"], pass: "forward" as const };
  const seconds = async (vary: string, values: (string | number)[], of = setup) => {
    const found = await whatIf(of, { ...choices, vary, values } as never);
    const [, caption] = `${found}`.split("time of");
    return { caption, rows: found.rows.map(({ seconds }) => seconds) };
  };
  for (const link of ["inter", "intra"]) {
    const latency = await seconds(`${link}.latency`, ["2 us", 1e-3]);
    const alpha = await seconds(`${link}.alpha`, [2e-6, 1e-3]);
    assertEquals(latency.rows, alpha.rows);
    assertEquals(latency.caption, alpha.caption);
  }
  const groups = await seconds("parallel.expert", [2, 4, 8]);
  const alone = await Promise.all([2, 4, 8].map(async (expert) => {
    using engine = openEngine({ kind: "simulate", topology: world });
    using made = createLayer(engine, { ...layer, parallel: { expert } });
    return (await made.forward({ scheduler: "optSche", chunks: 4 })).makespan;
  }));
  assertEquals(groups.rows, alone);
});

Deno.test("whatIf() simulates what a layer on the changed topology takes", async () => {
  const values = [1e6, 1e7, 1e8];
  const found = await whatIf(setup, {
    vary: "inter.bandwidth",
    values,
    schedulers: ["sequential", "optSche"],
    pass: "forward",
  });
  for (const value of values) {
    for (const scheduler of ["sequential", "optSche"]) {
      const on = topology({
        nodes: 2,
        ranksPerNode: 4,
        inter: { ...world.links.inter, beta: 1 / value },
      });
      using engine = openEngine({ kind: "simulate", topology: on });
      using made = createLayer(engine, layer);
      const { makespan } = await made.forward({ scheduler, chunks: 4 });
      const row = found.rows.find((row) => row.value === value && row.line === scheduler)!;
      assertEquals(row.seconds, makespan);
    }
  }
  assertEquals(found.rows.filter(({ line }) => line === "sequential").map((row) => row.speedUp), [
    1,
    1,
    1,
  ]);
});

Deno.test("whatIf() names the crossing of two codecs, and shows curves", async () => {
  // int8 costs computation and saves bytes: better on slow links only
  const inside = topology({ nodes: 2, ranksPerNode: 4, intra: { beta: 1e-12 } });
  const fast = { ...setup, topology: inside };
  const found = await whatIf(fast, {
    vary: "inter.bandwidth",
    values: [1e6, 1e7, 1e8, 1e9, 1e10, 1e11],
    compressors: ["none", "int8"],
  });
  assertEquals(found.crossings.map(({ before, after }) => [before, after]), [["int8", "none"]]);
  assertStringIncludes(found.summary, "int8 is best up to inter.bandwidth");
  assertEquals(found.best.at(0)!.line, "int8");
  assertEquals(found.best.at(-1)!.line, "none");
  const { x } = found.crossings[0];
  const at = await whatIf(fast, {
    vary: "inter.bandwidth",
    values: [x],
    compressors: ["none", "int8"],
  });
  assert(Math.abs(at.rows[1].speedUp - 1) < 0.15, `${at.rows[1].speedUp}`);
  const shown = await (found as unknown as Record<symbol, () => Promise<Record<string, string>>>)[
    Symbol.for("Jupyter.display")
  ]();
  assertStringIncludes(shown["image/svg+xml"], "<path");
  assertStringIncludes(shown["text/plain"], "\n100 GB/s ");
});

Deno.test("whatIf() varies worlds, chunks and layers, and starts from a run", async () => {
  using engine = openEngine({ kind: "simulate", topology: world });
  using made = createLayer(engine, layer);
  const run = await made.forward({
    scheduler: "optSche",
    chunks: 2,
    allToAll: "pipe",
    compressor: "fp16",
  });
  const same = await whatIf(run, { vary: "chunks", values: [1, 2, 4], pass: "forward" });
  assertEquals(same.rows[1].seconds, run.makespan);
  const nodes = await whatIf(run, { vary: "nodes", values: [1, 2, 16], pass: "forward" });
  assertEquals(nodes.rows[1].seconds, run.makespan);
  const codecs = await whatIf(run, { vary: "compressor", values: ["none", "fp16"] });
  assertEquals(codecs.crossings, []);
  const own = {
    name: "nic",
    apply: (s: typeof setup, beta: number) => ({
      ...s,
      topology: { ...s.topology, nic: { beta } },
    }),
  };
  const card = await whatIf(run, { vary: own as never, values: [1e-9, 1e-6] });
  assert(card.rows[1].seconds > card.rows[0].seconds);
});

Deno.test("calibrated() scales a topology to the times measured alone", async () => {
  using engine = openEngine({ kind: "simulate", topology: world });
  using made = createLayer(engine, layer);
  const { ran: [{ program, events }] } = await made.forward();
  const double = { ...world.processor, alpha: 2 * world.processor.alpha };
  const slow = { ...double, flopRate: double.flopRate / 2, byteRate: double.byteRate / 2 };
  const { modelCosts } = await import("../../lib/costs/mod.ts");
  const costs = { ...modelCosts({ ...world, processor: slow }), source: "measured alone" };
  const found = calibrated(world, [{ program, events, costs }]);
  assertAlmostEquals(found.computation, 2);
  assertAlmostEquals(found.communication, 1);
  assertAlmostEquals(found.topology.processor.flopRate, slow.flopRate, 1);
});

Deno.test("whatIf() names the option, change or value that is wrong", async () => {
  const fails = (options: object, message: string) =>
    assertRejects(() => whatIf(setup, options as never), SchemoeError, message);
  await fails({ vary: "inter.speed", values: [1] }, 'Cannot vary "inter.speed": choose one of');
  await fails({ vary: "chunks", values: [] }, "not empty");
  await fails({ vary: "inter.beta", values: [NaN] }, "a value is NaN");
  await fails(
    { vary: "inter.beta", values: [-1] },
    "inter.beta must be a number of at least 0, got -1",
  );
  await fails({ vary: "inter.bandwidth", values: [50] }, 'write "50 GB/s", or 50e9');
  await fails({ vary: "processor.flopRate", values: [989] }, 'write "989 TFLOP/s", or 989e12');
  await fails({ vary: "inter.alpha", values: ["5 hours"] }, "inter.alpha");
  await fails(
    { vary: "chunks", values: [1], scheduler: "x" },
    '"scheduler" is not one of its options',
  );
  await fails({ vary: "chunks", values: [1], schedulers: ["x"] }, 'Unknown scheduler "x"');
  await fails(
    { vary: "chunks", values: [1], schedulers: ["optSche", "optSche"] },
    'called "optSche"',
  );
  await fails({ vary: "chunks", values: [1], pass: "back" }, 'unknown pass "back"');
});

/** Lines of the table of two values: the head, and the values. */
const rowsOf = (found: object) => `${found}`.split("\n").slice(0, 3);

Deno.test("whatIf() takes rates and times with their units, and writes every value as it is", async () => {
  const found = await whatIf(setup, {
    vary: "inter.bandwidth",
    values: ["50 GB/s", 1e9],
    schedulers: ["sequential", "optSche"],
  });
  assertEquals(found.rows.map(({ value }) => value), [50e9, 50e9, 1e9, 1e9]);
  assertEquals(rowsOf(found).map((line) => line.split(/ {2,}/)[0]), [
    "inter.bandwidth",
    "50 GB/s",
    "1 GB/s",
  ]);
  const tokens = await whatIf(setup, { vary: "tokens", values: [65536, 16384] });
  assertEquals(rowsOf(tokens).map((line) => line.split(/ +/)[0]), [
    "tokens",
    "65536",
    "16384",
  ]);
  await assertRejects(
    () => whatIf(setup, { vary: "inter.alpha", values: ["5 uss"] }),
    SchemoeError,
    'Cannot vary inter.alpha: "5 uss" is not a number or a text such as "5 us"',
  );
});

Deno.test("whatIf() says which line is best where none crosses it, and what it is of", async () => {
  const found = await whatIf(setup, {
    vary: "tokens",
    values: [256, 512],
    schedulers: ["sequential", "optSche"],
    pass: "forward",
  });
  assertEquals(found.summary, "optSche is best at every value");
  assertMatch(`${found}`, /\ntime of forward\n.*modelDim 64.*\n2 x 4 ranks/);
  const svg = await found.svg();
  for (const part of ["modelDim 64", "8 experts", "2 x 4 ranks"]) {
    assert(svg.includes(part) || svg.includes(part.replace("8 experts", "experts 8")), part);
  }
});

Deno.test("whatIf() names all lines that are best", async () => {
  const one = { ...setup, choices: { chunks: 1 } };
  const schedulers = ["sequential", "optSche"];
  const found = await whatIf(one, { vary: "tokens", values: [256], schedulers, pass: "forward" });
  assertEquals(found.summary, "sequential and optSche are best at every value");
});

Deno.test("whatIf() draws a line that lies on another with dashes", async () => {
  const same = await whatIf(setup, {
    vary: "chunks",
    values: [1, 2],
    schedulers: ["optSche", "tutel"],
  });
  const apart = await whatIf(setup, {
    vary: "chunks",
    values: [2, 4],
    schedulers: ["sequential", "optSche"],
  });
  assertStringIncludes(await same.svg(), "stroke-dasharray");
  assertEquals((await apart.svg()).includes("stroke-dasharray"), false);
});

Deno.test("whatIf() tells where choices belong that are neither varied nor compared", async () => {
  const options = { vary: "inter.bandwidth", values: [1e6] };
  for (
    const ask of [
      () => whatIf(setup, { ...options, chunks: 4 } as never),
      () => whatIf({ ...setup, chunks: 4 } as never, options),
    ]
  ) {
    const { message } = await assertRejects(ask, SchemoeError);
    assertStringIncludes(message, '"chunks" is not ');
    assertStringIncludes(message, "{ layer, topology, choices: { chunks: 4 } }");
  }
});
