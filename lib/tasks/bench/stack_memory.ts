/** Memory of the buffers of a stack of layers, side by side and shared. @module */
import { swiglu, topK } from "../../blocks/mod.ts";
import { openEngine } from "../../engines/mod.ts";
import { createStack } from "../../layer/mod.ts";
import { memoryPlan } from "../../memory/mod.ts";
import type { Report, Row } from "./report.ts";

const LAYERS = 8;
const LAYER = { tokens: 4096, modelDim: 2048, hiddenDim: 1024, experts: 32 } as const;
const MIB = 2 ** 20;

/** Memory a rank of 8 layers on 8 ranks, by codec and chunks: from plans alone, nothing is allocated. */
export async function benchStackMemory(): Promise<Report> {
  const rows: Row[] = [];
  for (const compressor of ["none", "int8"]) {
    for (const chunks of [1, 4]) rows.push(await stackRow(compressor, chunks));
  }
  return {
    configuration: { layers: LAYERS, ...LAYER, k: 2, expert: "swiglu", world: "2 x 4" },
    rows,
  };
}

async function stackRow(compressor: string, chunks: number): Promise<Row> {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 4 });
  using stack = createStack(engine, {
    layers: LAYERS,
    layer: { ...LAYER, gate: topK({ k: 2 }), expert: swiglu() },
  });
  const choices = { compressor, chunks, scheduler: "optSche" };
  const runs = [await stack.forward(choices), await stack.backward(choices)];
  const plans = runs.map(({ ran }) => memoryPlan(ran[0].program));
  const { lives, peak, floor, rows } = stack.memory();
  const mib = (bytes = 0) => Math.round(bytes / MIB);
  // each buffer of either pass has its own name, and before stayed allocated from pass to pass
  const separate = rows.reduce((sum, { bytes, shared }) => sum + (shared ? bytes : 0), 0);
  const shared = plans.reduce((most, { arena }) => Math.max(most, arena), 0);
  return {
    compressor,
    chunks,
    "parameters MiB": mib(lives.parameter),
    "gradients MiB": mib(lives.gradient),
    "saved MiB": mib(lives.saved),
    "within a pass, apart MiB": mib(separate),
    "shared MiB": mib(shared),
    "times less": Math.round(separate / shared * 10) / 10,
    "floor MiB": mib(floor - (peak - shared)),
    "peak before MiB": mib(peak - shared + separate),
    "peak MiB": mib(peak),
  };
}
