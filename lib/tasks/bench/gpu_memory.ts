/** What 1,000 runs leave behind on a GPU and in this process. @module */
import { topK } from "../../blocks/mod.ts";
import { openCudaEngine } from "../../engines/mod.ts";
import { createLayer } from "../../layer/mod.ts";
import { topology } from "../../topology.ts";
import type { Report, Row } from "./report.ts";
import { quiet } from "../build/command.ts";

const RUNS = 1000;
/** After the first run, and once the JavaScript heap has settled. */
const SHOWN = [1, 100, RUNS];
const MIB = 1 << 20;
const SHAPE = { tokens: 1024, modelDim: 1024, hiddenDim: 4096, experts: 8 } as const;

/** Memory after the first and after the last of 1,000 runs forward and backward on 2 x 2 ranks. */
export async function benchGpuMemory(): Promise<Report> {
  const world = topology({ nodes: 2, ranksPerNode: 2 });
  using engine = openCudaEngine({ topology: world });
  using layer = createLayer(engine, { ...SHAPE, gate: topK({ k: 2 }), dtype: "bfloat16" });
  const choices = {
    scheduler: "optSche",
    allToAll: "pipe",
    chunks: 2,
    bound: false,
    results: false,
  };
  const rows: Row[] = [];
  for (let run = 1; run <= RUNS; run++) {
    await layer.forward(choices);
    await layer.backward(choices);
    if (SHOWN.includes(run)) rows.push({ runs: run, ...await memory() });
  }
  return {
    configuration: {
      ...SHAPE,
      topK: 2,
      world: "2 x 2",
      dtype: "bfloat16",
      scheduler: "optSche",
      allToAll: "pipe",
      chunks: 2,
      passes: "forward and backward",
    },
    rows,
  };
}

async function memory(): Promise<Row> {
  const used = await quiet([
    "nvidia-smi",
    "--query-gpu=memory.used",
    "--format=csv,noheader,nounits",
  ]);
  const mib = (bytes: number) => Math.round(bytes / MIB);
  const { rss, heapUsed } = Deno.memoryUsage();
  return {
    gpuMiB: used.trim().split("\n").reduce((sum, line) => sum + Number(line), 0),
    hostMiB: mib(rss),
    heapMiB: mib(heapUsed),
  };
}
