/** Which assumptions of the published model fail, and the one measured quantity that would explain each. @module */
import { aNumber, expect, listOf, record, something } from "../../arguments/mod.ts";
import type { SizeRow } from "./sizes.ts";
import type { PaperRow, PaperTables } from "./tables.ts";

const FINDINGS_TABLES = record("tables of the paper, such as await paperTables()", {
  rows: something,
});
const FINDINGS_SIZES = listOf(
  record("a row of paperSizes()", { bytes: aNumber }),
  "rows of paperSizes()",
);

/** Bytes of a wire value over one of ZFP's. */
const RATIO = 4;

/** One failing assumption, in numbers of the tables. */
export interface Finding {
  /** What the published model assumes. */
  readonly assumption: string;
  /** The numbers that speak against it. */
  readonly because: string;
  /** What would have to be measured. */
  readonly measure: string;
}

/** Speed-ups of Pipe-A2A at 200 MB and more, section 6.4: "up to around". */
const LARGE = { linear: 1.4, hierarchical2d: 2 };

/** Reads the findings off the tables, and off figure 9 as predicted. */
export function findings(tables: PaperTables, sizes: readonly SizeRow[]): Finding[] {
  expect("findings", "tables", tables, FINDINGS_TABLES);
  expect("findings", "sizes", sizes, FINDINGS_SIZES);
  const { rows, slowdown } = tables;
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  const times = (ratio: number) => `${ratio.toFixed(2)}x`;
  const entry = (table: number, workload: string, method: string, what = "step"): PaperRow =>
    rows.find((row) =>
      row.table === table && row.workload === workload && row.method === method && row.what === what
    )!;
  const ablation = (method: string) => entry(10, "ablation layer", method);
  const [naive, z] = [ablation("Naive"), ablation("ScheMoE-Z")];
  const [zp, full] = [ablation("ScheMoE-ZP"), ablation("ScheMoE")];
  const [tutel, whole] = [entry(7, "CT-MoE-24", "Tutel"), entry(7, "CT-MoE-24", "ScheMoE")];
  const [bert, bertTutel] = ["ScheMoE", "Tutel"].map((name) => entry(8, "BERT-Large-MoE", name));
  const faster = [12, 16, 20, 24].map((depth) => {
    const [other, own] = ["FasterMoE", "Tutel"].map((name) => entry(7, `CT-MoE-${depth}`, name));
    return {
      measured: other.milliseconds / own.milliseconds,
      predicted: other.predictedMs / own.predictedMs,
    };
  });
  const span = (values: readonly number[]) =>
    [...new Set([Math.min(...values), Math.max(...values)].map(times))].join(" to ");
  const [small, large] = [sizes[0], sizes[sizes.length - 1]];
  const saved = naive.milliseconds - z.milliseconds;
  const predicted = naive.predictedMs - z.predictedMs;
  const needed = saved * RATIO / (RATIO - 1);
  const deep = (what: string) =>
    (entry(1, "CT-MoE-24", "Tutel", what).milliseconds -
      entry(1, "CT-MoE-12", "Tutel", what).milliseconds) / 12;
  const layer = entry(1, "CT-MoE-24", "Tutel").predictedMs / 24;
  const fixed = entry(1, "CT-MoE-12", "Tutel").milliseconds - 12 * deep("step");
  return [
    {
      assumption: "an all-to-all of the paper's runs takes what PipeMoE fitted on the same cluster",
      because: `table 1's all-to-alls took ${slowdown.toFixed(2)}x as long, all four models alike`,
      measure: "the time of one all-to-all of 8.6 MB under training",
    },
    {
      assumption: "the codec's speed can be fitted to the step from Naive to ScheMoE-Z",
      because:
        `ZFP saved ${ms(saved)}; the model saves ${
          ms(predicted)
        }, and a codec that costs nothing ` +
        `leaves the all-to-alls of Naive no less than ${ms(needed)}. No codec speed was fitted`,
      measure: "the time of the four all-to-alls of 644 MB in Naive",
    },
    {
      assumption: "Pipe-A2A gains what the node's own links take",
      because: `it saved ${ms(z.milliseconds - zp.milliseconds)}, the model saves ${
        ms(z.predictedMs - zp.predictedMs)
      }: 3 of a rank's 31 messages stay in its node, at the all-gather's speed`,
      measure: "the time of the all-to-all inside a node, all four GPUs sending over PCIe at once",
    },
    {
      assumption: "NCCL's all-to-all and 2DH differ from Pipe-A2A by overlap and hops alone",
      because:
        `at large sizes Pipe-A2A was up to ${LARGE.linear}x and ${LARGE.hierarchical2d}x as fast, ` +
        `the model has ${times(large.linear / large.pipe)} and ${
          times(large.hierarchical2d / large.pipe)
        }; below 1 MiB the paper sees 1.03 to 1.05x over both, in the model 2DH wins at ${
          times(small.pipe / small.hierarchical2d)
        } for 1 KiB by its fewer start-ups`,
      measure: "the start-up time of a message apart from that of the whole operation",
    },
    {
      assumption: "coding costs what its memory traffic costs",
      because:
        `in CT-MoE-24 ScheMoE saved ${ms(tutel.milliseconds - whole.milliseconds)} over Tutel, ` +
        `the model saves ${
          ms(tutel.predictedMs - whole.predictedMs)
        }, though in table 10 it saves less ` +
        "than was measured: no one codec speed explains both",
      measure: "the time of ZFP on 8.6 MB and on 644 MB",
    },
    {
      assumption: "OptSche gains what two chunks can overlap",
      because: `it saved ${ms(zp.milliseconds - full.milliseconds)}, the model saves ${
        ms(zp.predictedMs - full.predictedMs)
      }`,
      measure: "how much products slow down beside NCCL's kernels",
    },
    {
      assumption: "a chunk costs no more than the start-up of its messages",
      because:
        `in BERT-Large-MoE, whose all-to-alls are of 0.5 MB, ScheMoE's two chunks were measured ${
          times(bertTutel.milliseconds / bert.milliseconds)
        } as fast as Tutel and are predicted ${
          times(bertTutel.predictedMs / bert.predictedMs)
        } as fast: the published start-up of 209 us is paid twice, and Tutel's search takes one chunk`,
      measure: "the time of an all-to-all of 0.25 MB beside one of 0.5 MB",
    },
    {
      assumption: "FasterMoE and Tutel differ by their orders alone",
      because: `on CT-MoE FasterMoE's steps took ${
        span(faster.map(({ measured }) => measured))
      } of Tutel's, the model's take ${span(faster.map(({ predicted }) => predicted))}`,
      measure: "the time of FasterMoE's sends in groups of peers beside NCCL's all-to-all",
    },
    {
      assumption: "a step is its Mixture-of-Experts layers",
      because: `in table 1 a further layer took ${deep("step").toFixed(1)} ms (${
        deep("all-to-alls").toFixed(1)
      } of all-to-alls), the model's ${layer.toFixed(1)} ms; ${ms(fixed)} do not depend on depth`,
      measure: "the time of attention, embedding, optimizer and gradient reduction",
    },
  ];
}
