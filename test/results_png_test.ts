/** What has a picture has it as a PNG too. */
import { assert, assertEquals } from "@std/assert";
import packageFile from "../deno.json" with { type: "json" };
import { compare, createLayer, openEngine, topology } from "../mod.ts";
import { whatIf } from "../lib/studies/mod.ts";
import { TrainingRun } from "../lib/training/mod.ts";

const isPng = (bytes: Uint8Array) =>
  new TextDecoder().decode(bytes.subarray(1, 4)) === "PNG" && bytes.length > 1000;

Deno.test("each exported class with a picture as SVG has it as PNG", async () => {
  const without: string[] = [];
  let pictures = 0;
  for (const path of Object.values(packageFile.exports)) {
    const module = await import(new URL(`../${path}`, import.meta.url).href);
    for (const [name, value] of Object.entries(module)) {
      const methods = (value as { prototype?: object })?.prototype ?? {};
      if (typeof value !== "function" || !("svg" in methods)) continue;
      pictures++;
      if (!("png" in methods)) without.push(`${path} ${name}`);
    }
  }
  assertEquals(without, []);
  assert(pictures > 5, `${pictures}`);
});

Deno.test("compare().png() draws what svg() does", async () => {
  const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 });
  const runs = [await layer.forward(), await layer.forward({ scheduler: "optSche", chunks: 2 })];
  const compared = compare(runs);
  assert(isPng(await compared.png()));
  assert((await compared.png({ scale: 1 })).length < (await compared.png()).length);
  assert((await compare(runs, { theme: "dark" }).png()).join() !== (await compared.png()).join());
});

Deno.test("TrainingRun.png() and WhatIf.png() draw what svg() does", async () => {
  const steps = [1, 2, 3].map((step) => ({
    ...{ step, loss: 3 / step, crossEntropy: 3 / step, gradNorm: 1, rate: 1e-3, loads: [] },
  }));
  const history = { steps, speeds: [], validations: [], seconds: 1 };
  const run = new TrainingRun({ name: "short", history, configuration: { layers: 1 } });
  assert(isPng(await run.png()));
  assert((await run.png({ scale: 1 })).length < (await run.png({ scale: 2 })).length);
  const study = await whatIf(
    {
      layer: { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 },
      topology: topology({ nodes: 2, ranksPerNode: 2 }),
    },
    { vary: "inter.bandwidth", values: [1e6, 1e8], schedulers: ["sequential", "optSche"] },
  );
  assert(isPng(await study.png()));
});
