/** Layers of published models on one GPU and on all of them: ready, wall time, memory. @module */
import { swiglu, topK } from "../../blocks/mod.ts";
import { openCudaEngine } from "../../engines/mod.ts";
import { topology } from "../../topology.ts";
import { quiet } from "../build/command.ts";
import { type ReadyCase, timeLayer } from "./ready.ts";
import type { Report, Row } from "./report.ts";

/** Qwen3-30B-A3B's layer, 8,192 tokens a rank (sizes of its configuration on Hugging Face). */
const QWEN3: ReadyCase = {
  name: "Qwen3-30B",
  config: {
    tokens: 8192,
    modelDim: 2048,
    hiddenDim: 768,
    experts: 128,
    dtype: "bfloat16",
    gate: topK({ k: 8 }),
    routing: { dropless: true },
    expert: swiglu(),
  },
  gradient: "experts.w1",
};

/** DeepSeek-V3's routed experts (arXiv:2412.19437), with a softmax gate: 22.5 GB of weights. */
const DEEPSEEK_V3: ReadyCase = {
  name: "DeepSeek-V3",
  config: {
    tokens: 4096,
    modelDim: 7168,
    hiddenDim: 2048,
    experts: 256,
    dtype: "bfloat16",
    gate: topK({ k: 8 }),
    routing: { dropless: true },
    expert: swiglu(),
  },
  gradient: "gate.weight",
};

/** GiB of a GPU that weights, gradients and activations of DeepSeek-V3's layer need. */
const DEEPSEEK_GIB = 60;

export async function benchGpuReady(): Promise<Report> {
  const gpus = await gpuMemory();
  const rows: Row[] = [];
  const on = async (ranks: number, which: ReadyCase) => {
    const devices = Array.from({ length: ranks }, (_, i) => i);
    using engine = openCudaEngine({
      topology: topology({ nodes: 1, ranksPerNode: ranks }),
      ...(ranks > 1 ? { devices } : {}),
    });
    rows.push({ gpus: ranks, ...await timeLayer(engine, which) });
  };
  await on(1, QWEN3);
  if (gpus.length > 1) await on(gpus.length, QWEN3);
  if (gpus[0] >= DEEPSEEK_GIB) await on(1, DEEPSEEK_V3);
  return { configuration: { engine: "cuda", dtype: "bfloat16", rows: "dropless" }, rows };
}

/** GiB of memory of each GPU. */
async function gpuMemory(): Promise<number[]> {
  const text = await quiet([
    "nvidia-smi",
    "--query-gpu=memory.total",
    "--format=csv,noheader,nounits",
  ]);
  return text.trim().split("\n").map((line) => Number(line) / 1024);
}
