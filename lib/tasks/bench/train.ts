/** Training steps of a model of about 340 million active parameters on one GPU, beside the same model in PyTorch. @module */
import { openCudaEngine } from "../../engines/mod.ts";
import type { TrainingStep } from "../../model/mod.ts";
import { column, numbers, rows as rowsOf } from "../../timeline/table/columns.ts";
import { topology } from "../../topology.ts";
import { hundredths, type Report, type Row } from "./report.ts";
import { trainKernels } from "./train_kernels.ts";
import { type ExpertRows, SIZES, type StepCounts, stepFlops, timedSteps } from "./train_steps.ts";
import { torchRows } from "./train_torch.ts";

const COUNTS: StepCounts = { warmUp: 4, steps: 8 };

/** Places of experts for each of their mean loads, in turn, and rows of tokens alone. */
const EXPERT_ROWS: readonly ExpertRows[] = [1, 1.25, "dropless"];

/** Milliseconds of the tasks of each label in a step. */
function partsOf({ timeline }: TrainingStep): Map<string, number> {
  const label = column<string>(timeline, "label"), task = column<string>(timeline, "name");
  const start = numbers(timeline, "start_ns"), end = numbers(timeline, "end_ns");
  const parts = new Map<string, number>();
  for (const row of rowsOf(timeline)) {
    const kind = label.at(row).replace(/^update .*/, "update");
    const name = `${/grad|backward/.test(task.at(row)) ? "b" : "f"}.${kind}`;
    parts.set(name, (parts.get(name) ?? 0) + (end.at(row) - start.at(row)) / 1e6);
  }
  return parts;
}

/** Steps of this project: median time, and the parts of the last step. */
async function ours(expertRows: ExpertRows): Promise<Row> {
  using engine = openCudaEngine({ topology: topology({ nodes: 1, ranksPerNode: 1 }) });
  const { row, last } = await timedSteps(engine, expertRows, { scheduler: "sequential" }, COUNTS);
  const parts = [...partsOf(last)].toSorted(([, a], [, b]) => b - a);
  return {
    peer: "this project",
    ...row,
    ...Object.fromEntries(parts.slice(0, 24).map(([name, ms]) => [name, hundredths(ms)])),
  };
}

/** Steps of this project and of PyTorch, and kernels alone. */
export async function benchTrain(): Promise<Report> {
  const rows: Row[] = [];
  for (const expertRows of EXPERT_ROWS) rows.push(await ours(expertRows));
  rows.push(...await trainKernels(SIZES));
  const { rows: others, matmulTFLOPs } = await torchRows(COUNTS);
  rows.push(...others);
  return {
    configuration: {
      ...SIZES,
      engine: "cuda",
      dtype: "bfloat16, float32 masters",
      optimizer: "adamw",
      steps: COUNTS.steps,
      stepTFLOP: hundredths(stepFlops() / 1e12),
      ...(matmulTFLOPs === undefined ? {} : { matmulTFLOPs }),
    },
    rows: rows.map((row) =>
      matmulTFLOPs === undefined || row.TFLOPs === undefined
        ? row
        : { ...row, shareOfMatmul: hundredths(Number(row.TFLOPs) / matmulTFLOPs) }
    ),
  };
}
