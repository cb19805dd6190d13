/** What a codec gains where nodes are far apart: each one's best schedule, forward and backward. @module */
import { type LayerConfig, resolveLayer } from "../../blocks/mod.ts";
import type { Engine } from "../../engine.ts";
import { openEngine } from "../../engines/mod.ts";
import { createLayer, randomNormal } from "../../layer/mod.ts";
import { codecStudy } from "../../studies/codecs/study.ts";
import { topology } from "../../topology.ts";
import { hundredths, milliseconds, type Report, type Row } from "./report.ts";
import { combinationText } from "./gains.ts";
import { bothPasses, compareSchedules, type Comparison, type Measured } from "./schedules.ts";

/** Compared with each other; `none` first. */
const CODECS = ["none", "zfp", "int8", "fp8"] as const;

/** The schedules among which the best is looked for. */
export const COMPARED: Comparison = {
  schedulers: ["sequential", "tutel", "optSche"],
  allToAlls: ["linear", "pipe"],
  codecs: CODECS,
  chunks: [1, 2, 4],
  repetitions: 3,
  seconds: 120,
};

/**
 * Paced to a slow cluster in the proportions of a fast one: an all-to-all without a codec takes about as long as the
 * experts, and a codec a tenth of it, which is more than it takes on a core.
 */
const PACED: LayerConfig = { tokens: 256, modelDim: 512, hiddenDim: 512, experts: 4 };
const PROPORTIONS = {
  inter: { bandwidth: "5 MB/s", latency: "50 us" },
  processor: { flopRate: "5 GFLOP/s", byteRate: "100 MB/s" },
} as const;

/** Two nodes of the CPU engine, which really computes and codes, and then sleeps as long as its pace says. */
export async function benchCodecs(): Promise<Report> {
  const world = topology({ nodes: 2, ranksPerNode: 1, ...PROPORTIONS });
  using engine = openEngine({
    kind: "cpu",
    topology: world,
    links: "emulated",
    computation: "paced",
  });
  const schedulers = ["sequential", "optSche"];
  return await codecReport(engine, PACED, { ...COMPARED, schedulers, chunks: [1, 4] });
}

/** The best schedule of each codec in each pass, its gain over that of the first codec, and its error. */
export async function codecReport(
  engine: Engine,
  config: LayerConfig,
  comparison: Comparison,
): Promise<Report> {
  const { measured, leftOut, failures } = await compareSchedules(engine, config, comparison);
  const errors = await errorsOf(engine, config, comparison.codecs);
  const { tokens, modelDim, hiddenDim, experts, topK, dtype } = resolveLayer(
    config,
    engine.topology,
  );
  return {
    configuration: {
      ...{ tokens, modelDim, hiddenDim, experts, topK, dtype },
      schedulers: comparison.schedulers.join(),
      allToAlls: comparison.allToAlls.join(),
      chunks: comparison.chunks.join(),
      repetitions: comparison.repetitions,
      engine: engine.timing,
      leftOut: leftOut.join(", ") || "nothing",
      failures: failures.join("; ") || "none",
    },
    rows: gains(measured, comparison.codecs).map((row) => ({ ...row, ...errors[`${row.codec}`] })),
  };
}

/** Of each pass and of both together, codec by codec. */
function gains(measured: readonly Measured[], codecs: readonly string[]): Row[] {
  const rows: Row[] = [];
  for (const pass of ["forward", "backward", "both"] as const) {
    const list = bothPasses(
      pass === "both" ? measured : measured.filter((one) => one.pass === pass),
    );
    const bestOf = (name: string) =>
      list.filter(({ combination: { codec } }) => codec === name)
        .toSorted((a, b) => a.seconds - b.seconds).at(0);
    const none = bestOf(codecs[0]);
    for (const codec of codecs) {
      const best = bestOf(codec);
      if (!best) continue;
      rows.push({
        pass,
        codec,
        best: combinationText(best.combination),
        ms: milliseconds(best.seconds),
        ...(none ? { overNone: hundredths(none.seconds / best.seconds) } : {}),
      });
    }
  }
  return rows;
}

/** Bits a value and errors of output and gradient of the input, on white normal values. */
async function errorsOf(
  engine: Engine,
  config: LayerConfig,
  codecs: readonly string[],
): Promise<Record<string, Row>> {
  using layer = createLayer(engine, config);
  const count = engine.topology.ranks * layer.layer.tokens * layer.layer.modelDim;
  const [x, dy] = [1, 2].map((seed) => randomNormal(count, { seed }));
  const rows = await codecStudy(layer, { codecs, x, dy });
  return Object.fromEntries(rows.map(({ codec, bits, output, gradients }) => [codec, {
    bits,
    outputRmse: Number(output.rmse.toPrecision(3)),
    gradientRmse: Number(gradients.x.rmse.toPrecision(3)),
  }]));
}
