/** ScheMoE's ablation (EuroSys'24, table 10) simulated, beside the published measurement. @module */
import { topK } from "../../blocks/mod.ts";
import { openEngine } from "../../engines/mod.ts";
import { createLayer } from "../../layer/mod.ts";
import { testbed } from "../../testbeds/mod.ts";
import type { Compressor } from "../../compressors/types.ts";
import { hundredths, milliseconds, type Report } from "./report.ts";

/** B 8, L 2048, M and H 8192, E 32, k 1, f 1.2. */
const LAYER = {
  tokens: 8 * 2048,
  modelDim: 8192,
  hiddenDim: 8192,
  experts: 32,
  topK: 1,
  capacityFactor: 1.2,
};

/** ZFP at a fixed rate of 8 bits a value: only its bytes matter here. */
const zfp: Compressor = {
  name: "ZFP, 8 bits a value",
  wireBytes: ({ rows, columns }) => rows * columns,
  encode: (values) => new Uint8Array(values.length),
  decode: (bytes) => new Float32Array(bytes.length),
};

/** `sequential` would run the two phases of `pipe` one after the other; with one chunk optSche only joins them. */
const VARIANTS = [
  { name: "Naive", choices: { allToAll: "linear" }, measured: 2401 },
  { name: "ScheMoE-Z", choices: { allToAll: "linear", compressor: zfp }, measured: 1264 },
  {
    name: "ScheMoE-ZP",
    choices: { allToAll: "pipe", compressor: zfp, scheduler: "optSche", chunks: 1 },
    measured: 1110,
  },
  {
    name: "ScheMoE",
    choices: { allToAll: "pipe", compressor: zfp, scheduler: "optSche", chunks: 2 },
    measured: 1019,
  },
] as const;

/** Forward and backward of the one layer, in four variants; nothing is fitted to the measured times. */
export async function benchAblation(): Promise<Report> {
  const { topology, sources } = testbed("2080ti-ib100");
  using engine = openEngine({ kind: "simulate", topology });
  const { topK: k, capacityFactor, ...sizes } = LAYER;
  const config = { ...sizes, gate: topK({ k }), routing: { capacityFactor } };
  const rows = [];
  let first: { simulated: number; measured: number } | undefined;
  let before: { simulated: number; measured: number } | undefined;
  for (const { name, choices, measured } of VARIANTS) {
    const layer = createLayer(engine, config);
    const forward = await layer.forward(choices);
    const backward = await layer.backward(choices);
    const simulated = milliseconds(forward.makespan + backward.makespan);
    first ??= { simulated, measured };
    before ??= first;
    rows.push({
      variant: name,
      simulatedMs: simulated,
      measuredMs: measured,
      simulatedSpeedUp: hundredths(first.simulated / simulated),
      measuredSpeedUp: hundredths(first.measured / measured),
      simulatedStep: hundredths(before.simulated / simulated),
      measuredStep: hundredths(before.measured / measured),
    });
    before = { simulated, measured };
  }
  return {
    configuration: { world: "8 x 4", ...LAYER, sources: sources.join("; ") },
    rows,
  };
}
