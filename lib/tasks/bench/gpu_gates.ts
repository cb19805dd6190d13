/** Kernels of gates beside a copy of the same bytes, and the parts of a gate. @module */
import { openCudaEngine } from "../../engines/mod.ts";
import { gateBuffers } from "./gpu_gate_buffers.ts";
import { gateKernels } from "./gpu_gate_kernels.ts";
import { besideCopy, REPETITIONS, world } from "./gpu_rate.ts";
import { wholeGate, wholeGateSize } from "./gpu_whole_gate.ts";
import type { Report, Row } from "./report.ts";

const TOKENS = 32_768;
const SHAPES = [[64, 1], [64, 6], [128, 8], [256, 8], [512, 10], [512, 22]] as const;

/** Every kernel that works on logits, and a whole gate part by part. */
export async function benchGpuGates(): Promise<Report> {
  using engine = openCudaEngine({ topology: world });
  const rows: Row[] = [];
  for (const [experts, k] of SHAPES) {
    const size = { tokens: TOKENS, rows: experts, k };
    const workspace = gateBuffers(engine, size);
    for (const [kernel, bytes, call] of gateKernels(size)) {
      rows.push({ experts, k, kernel, ...await besideCopy(engine, workspace, bytes, call) });
    }
    workspace.free();
  }
  rows.push(...await wholeGate(engine));
  return { configuration: { tokens: TOKENS, repetitions: REPETITIONS, ...wholeGateSize() }, rows };
}
