/** What schedules hide where communication takes as long as the experts. @module */
import { topK } from "../../blocks/mod.ts";
import { openEngine } from "../../engines/mod.ts";
import { createLayer } from "../../layer/mod.ts";
import { communication } from "../../timeline/mod.ts";
import { topology } from "../../topology.ts";
import { hundredths, median, milliseconds, type Report } from "./report.ts";

const REPETITIONS = 5;
const LAYER = { tokens: 512, modelDim: 256, hiddenDim: 256, experts: 8, topK: 2 };

/** Expert flops of a rank, forward: 2 products of rows x model x hidden. */
const FLOPS = LAYER.tokens * LAYER.topK * 4 * LAYER.modelDim * LAYER.hiddenDim;
/** Bytes that a rank sends in both all-to-alls, by kind of link, on 2 x 2 ranks. */
const PART = LAYER.tokens * LAYER.topK * LAYER.modelDim * 4 / 4;
const FLOP_RATE = 4e9;
const { topK: k, ...sizes } = LAYER;

/** sequential and optSche on 2 x 2 ranks, links set so that both all-to-alls take as long as the experts. */
export async function benchOverlap(): Promise<Report> {
  const experts = FLOPS / FLOP_RATE;
  // 2 all-to-alls of 2 inter parts (and 1 intra part at a quarter of the time, 1 to itself)
  const beta = experts / (2 * PART * (2 + 0.5));
  const world = topology({
    nodes: 2,
    ranksPerNode: 2,
    processor: { alpha: 10e-6, flopRate: FLOP_RATE, byteRate: 8e9 },
    inter: { alpha: 20e-6, beta },
    intra: { alpha: 10e-6, beta: beta / 4 },
  });
  using engine = openEngine({
    kind: "cpu",
    topology: world,
    links: "emulated",
    computation: "paced",
  });
  using layer = createLayer(engine, { ...sizes, gate: topK({ k }) });
  const rows = [];
  for (const pass of ["forward", "backward"] as const) {
    let baseline = 0;
    for (
      const [scheduler, chunks] of [["sequential", 1], ["sequential", 4], ["optSche", 2], [
        "optSche",
        4,
      ]] as const
    ) {
      const choices = { scheduler, chunks, allToAll: "linear", results: false };
      await layer.forward(choices);
      const runs = [];
      for (let i = 0; i < REPETITIONS; i++) runs.push(await layer[pass](choices));
      const seconds = median(runs.map(({ makespan }) => makespan));
      baseline ||= seconds;
      const { hidden, total } = communication(runs[0].timeline);
      rows.push({
        pass,
        scheduler,
        chunks,
        ms: milliseconds(seconds),
        speedUp: hundredths(baseline / seconds),
        hidden: hundredths(hidden / total),
        aboveBound: hundredths(seconds / runs[0].bound! - 1),
      });
    }
  }
  return {
    configuration: {
      world: "2 x 2",
      ...LAYER,
      engine: engine.timing,
      repetitions: REPETITIONS,
      expertsMs: milliseconds(experts),
      allToAllsMs: milliseconds(2 * PART * (2 + 0.5) * beta),
    },
    rows,
  };
}
