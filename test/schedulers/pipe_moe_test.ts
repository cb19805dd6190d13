import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { createLayer, openEngine, pipeMoE, SchemoeError } from "../../mod.ts";
import { timedGraph } from "../../lib/graph/mod.ts";
import { fitChunkTimes, pipeMoeChunks } from "../../lib/schedulers/mod.ts";
import { makespanBy } from "../../lib/tasks/bench/exact_checks.ts";
import { randomNumbers } from "../../lib/tasks/bench/exact_instances.ts";

const ofChunk = ({ alpha, work }: { alpha: number; work: number }, r: number) => alpha + work / r;

Deno.test("pipeMoeChunks() predicts what its order takes, and no other number of chunks takes less", () => {
  const random = randomNumbers(1);
  const seen = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const allToAll = { alpha: random(), work: 10 * random() };
    const expert = { alpha: random(), work: 20 * random() };
    const takes = (r: number) => {
      const a = ofChunk(allToAll, r);
      const made = timedGraph({ chunks: r, times: { A1: a, E: ofChunk(expert, r), A2: a } });
      return makespanBy(pipeMoE, { ...made, text: "" });
    };
    const { chunks, seconds, limit } = pipeMoeChunks({ allToAll, expert });
    assertAlmostEquals(seconds, takes(chunks), 1e-9);
    for (let r = 1; r <= 8; r++) {
      assert(takes(r) >= seconds - 1e-9, `${r} chunks are better than ${chunks}`);
    }
    seen.add(limit);
  }
  assertEquals([...seen].sort(), ["communication", "computation", "mixed", "whole"]);
});

Deno.test("pipeMoeChunks() takes the stationary point of the case bound by computation", () => {
  const choice = pipeMoeChunks({
    allToAll: { alpha: 0, work: 8 },
    expert: { alpha: 1, work: 100 },
    most: 64,
  });
  assertEquals(choice, { chunks: 4, seconds: 108, limit: "computation" });
});

Deno.test("pipeMoeChunks() leaves a pass whole where start-ups are all there is", () => {
  const time = { alpha: 1, work: 0.1 };
  assertEquals(pipeMoeChunks({ allToAll: time, expert: time }).chunks, 1);
});

Deno.test("fitChunkTimes() finds start-ups and work again", () => {
  const [alpha, work] = [0.25, 6];
  const [two, four] = [2, 4].map((r) => {
    const exchange = { intra: 1 / r, inter: alpha + work / r, chained: true };
    return timedGraph({
      chunks: r,
      times: { C1: 1 / r, A1: exchange, E: 2 + 3 / r, A2: exchange },
    });
  });
  const fits = fitChunkTimes(two, four);
  const check = (
    fit: { alpha: number; work: number },
    expected: { alpha: number; work: number },
  ) => {
    assertAlmostEquals(fit.alpha, expected.alpha, 1e-12);
    assertAlmostEquals(fit.work, expected.work, 1e-12);
  };
  check(fits.expert, { alpha: 2, work: 4 });
  check(fits.allToAll, { alpha, work: work + 1 });
  check(fits.inter, { alpha, work });
  check(fits.intraOut, { alpha: 0, work: 1 });
  assertThrows(() => fitChunkTimes(two, two), SchemoeError, "two different numbers of chunks");
});

Deno.test("pipeMoeChunks() chooses for a layer from two of its runs", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const layer = createLayer(engine, { tokens: 512, modelDim: 128, hiddenDim: 256, experts: 8 });
  const run = (chunks: number) => layer.forward({ scheduler: "pipeMoE", chunks });
  const [two, eight] = [await run(2), await run(8)].map(({ ran }) => ({
    graph: ran[0].program.graph,
    costs: ran[0].costs!,
  }));
  const { chunks } = pipeMoeChunks(fitChunkTimes(two, eight));
  const chosen = await run(chunks);
  for (const other of [1, 2, 3, 4, 5, 6, 7, 8]) {
    assert(
      chosen.makespan <= (await run(other)).makespan * 1.02,
      `${other} chunks are better than ${chunks}`,
    );
  }
});

Deno.test("pipeMoeChunks() names the time that is wrong", () => {
  const time = { alpha: 1, work: 1 };
  for (const wrong of [-1, NaN, undefined]) {
    const expert = { alpha: 1, work: wrong as number };
    assertThrows(
      () => pipeMoeChunks({ allToAll: time, expert }),
      SchemoeError,
      `expert.work is ${wrong}`,
    );
  }
  assertThrows(
    () => pipeMoeChunks({ allToAll: time, expert: time, most: 0 }),
    SchemoeError,
    '"most"',
  );
});
