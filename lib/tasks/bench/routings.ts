/** Wall time of dropless forward passes beside their makespan, where the routing stays and where it is new. @module */
import { swiglu, topK } from "../../blocks/mod.ts";
import { openCudaEngine, openEngine } from "../../engines/mod.ts";
import { createLayer } from "../../layer/mod.ts";
import { uniforms } from "../../random.ts";
import type { Engine } from "../../engine.ts";
import { topology } from "../../topology.ts";
import { median, milliseconds, type Report, type Row } from "./report.ts";

/** Passes that are not counted, in which V8 compiles what is hot, and those of which the median counts. */
const WARM_UP = 30;
const REPEATS = 100;

/** What is chosen for the passes. */
const CHOICES = [{}, { scheduler: "optSche", chunks: 4, allToAll: "pipe" }] as const;

/** Small enough that the host's work shows. */
const sizes = {
  ...{ tokens: 256, modelDim: 64, hiddenDim: 16, experts: 128 },
  ...{ gate: topK({ k: 8 }), routing: { dropless: true }, expert: swiglu() },
} as const;

/** On the CPU engine, with one and two ranks. */
export function benchRoutings(): Promise<Report> {
  return measure(
    "cpu, plain links",
    (ranks) => openEngine({ kind: "cpu", nodes: 1, ranksPerNode: ranks, links: "plain" }),
  );
}

/** On one GPU, with one and two ranks. */
export function benchGpuRoutings(): Promise<Report> {
  return measure(
    "cuda",
    (ranks) => openCudaEngine({ topology: topology({ nodes: 1, ranksPerNode: ranks }) }),
  );
}

async function measure(engine: string, open: (ranks: number) => Engine): Promise<Report> {
  const rows: Row[] = [];
  for (const ranks of [1, 2]) {
    using opened = open(ranks);
    for (const choices of CHOICES) rows.push(...await timeRoutings(opened, choices));
  }
  const { tokens, modelDim, hiddenDim, experts } = sizes;
  return {
    configuration: { engine, tokens, modelDim, hiddenDim, experts, topK: 8, repeats: REPEATS },
    rows,
  };
}

/** The same passes with one routing and with one of their own each, in turn. */
async function timeRoutings(engine: Engine, choices: typeof CHOICES[number]): Promise<Row[]> {
  const { ranks } = engine.topology;
  using layer = createLayer(engine, sizes);
  const random = uniforms(1);
  const input = () =>
    new Float32Array(ranks * sizes.tokens * sizes.modelDim).map(() => 2 * random() - 1);
  const same = input();
  const beside: Record<string, number[]> = { same: [], new: [] };
  const makespans: Record<string, number[]> = { same: [], new: [] };
  for (let i = -WARM_UP; i < REPEATS; i++) {
    for (const routing of ["same", "new"]) {
      layer.set({ x: routing === "same" ? same : input() });
      const began = performance.now();
      const run = await layer.forward(choices);
      const wall = (performance.now() - began) / 1e3;
      if (i < 0) continue;
      // asked for afterwards: it makes the timeline
      makespans[routing].push(run.makespan);
      beside[routing].push(wall - run.makespan);
    }
  }
  return Object.keys(beside).map((routing) => ({
    ...{ ranks, chunks: "chunks" in choices ? choices.chunks : 1, routing },
    "makespan ms": milliseconds(median(makespans[routing])),
    "beside it ms": milliseconds(median(beside[routing])),
    "least ms": milliseconds(Math.min(...beside[routing])),
  }));
}
