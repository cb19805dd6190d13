/** Training steps with the experts sharded over several GPUs of one process, beside one GPU and PyTorch. @module */
import { openCudaEngine } from "../../engines/mod.ts";
import { communication } from "../../timeline/mod.ts";
import { testbed } from "../../testbeds/mod.ts";
import type { TrainingStep } from "../../model/mod.ts";
import { SchemoeError } from "../../types.ts";
import { matrixRate } from "./matrix_rate.ts";
import { type Transport, transportsOf } from "./nccl_engine.ts";
import type { SeveralGpus } from "./options.ts";
import { hundredths, type Report, type Row } from "./report.ts";
import { type ExpertRows, SIZES, type StepCounts, stepFlops, timedSteps } from "./train_steps.ts";
import { torchRows, type TorchVariant } from "./train_torch.ts";

const COUNTS: StepCounts = { warmUp: 2, steps: 5 };
/** PyTorch's, whose allocator and compiler take longer to settle. */
const TORCH_COUNTS: StepCounts = { warmUp: 5, steps: 6 };

/** Links and rates that the orders are made for. */
const TESTBED = "h200-ib400";

/** How a step runs. */
interface Combination {
  readonly expertRows: ExpertRows;
  readonly scheduler: string;
  readonly allToAll: string;
  readonly chunks: number;
}

const inTurn = { scheduler: "sequential", allToAll: "linear", chunks: 1 } as const;

/** On one GPU nothing travels, so that no order hides anything. */
const ALONE: readonly Combination[] = [
  { expertRows: 1, ...inTurn },
  { expertRows: "dropless", ...inTurn },
];

/** The first one hides nothing: all tasks of a rank one after another. */
const COMBINATIONS: readonly Combination[] = [
  { expertRows: 1, ...inTurn },
  { expertRows: 1, scheduler: "criticalPath", allToAll: "linear", chunks: 1 },
  { expertRows: 1, scheduler: "optSche", allToAll: "pipe", chunks: 2 },
  { expertRows: 1, scheduler: "criticalPath", allToAll: "linear", chunks: 2 },
  { expertRows: "dropless", scheduler: "criticalPath", allToAll: "linear", chunks: 1 },
];

/** PyTorch's variants, the quicker to compile first. */
const TORCH: readonly TorchVariant[] = ["eager", "compile"];

/**
 * A report for one GPU, for each transport and for PyTorch, all of one run. Every GPU has as many tokens as the one
 * alone: `scaling` is the rate of a GPU over that of the one alone in the same rows.
 */
export async function* benchTrainGpus(
  { gpus, seconds = Infinity, shapes }: SeveralGpus,
): AsyncGenerator<Report> {
  if (gpus < 2) throw new SchemoeError("Training over one GPU shards nothing: give --gpus 2");
  if (shapes) throw new SchemoeError("--shapes is no option of train, whose model has one size");
  const devices = Array.from({ length: gpus }, (_, rank) => rank);
  const began = performance.now();
  const late = () => (performance.now() - began) / 1e3 > seconds;
  const alone = new Map<ExpertRows, number>();
  const rows: Row[] = [];
  let matmulTFLOPs = NaN;
  const report = (given: readonly Row[]): Report => ({
    configuration: { ...configurationOf(gpus), matmulTFLOPs: hundredths(matmulTFLOPs) },
    rows: given.map((row) => withShares(row, { alone, matmulTFLOPs })),
  });
  {
    const { topology } = testbed(TESTBED, { nodes: 1, ranksPerNode: 1 });
    using engine = openCudaEngine({ topology });
    matmulTFLOPs = await matrixRate(engine);
    for (const combination of ALONE) {
      const { expertRows, ...choices } = combination;
      const { row } = await timedSteps(engine, expertRows, choices, COUNTS);
      alone.set(expertRows, Number(row.tokensPerSecond));
      rows.push({ peer: "this project", gpus: 1, ...choices, ...row });
    }
  }
  yield report(rows);
  for (const transport of transportsOf({ devices }).toReversed()) {
    if (late()) return;
    yield report(await overTransport(devices, transport, late));
  }
  for (const variant of TORCH) {
    if (late()) return;
    const { rows } = await torchRows({ gpus, variants: [variant], ...TORCH_COUNTS });
    yield report(rows);
  }
}

/** Steps of all combinations over one transport, as far as there is time. */
async function overTransport(
  devices: readonly number[],
  transport: Transport,
  late: () => boolean,
): Promise<Row[]> {
  const gpus = devices.length;
  // by whose costs schedulers order
  const { topology } = testbed(TESTBED, { nodes: 1, ranksPerNode: gpus });
  using engine = openCudaEngine({ topology, devices, ...transport });
  const rows: Row[] = [];
  for (const { expertRows, ...choices } of COMBINATIONS) {
    if (late()) break;
    const { row, last } = await timedSteps(engine, expertRows, choices, COUNTS);
    rows.push({
      ...{ peer: "this project", gpus, ...transport },
      ...choices,
      ...row,
      ...communicationOf(last, gpus),
    });
  }
  return rows;
}

/** What a GPU communicates in a step, at the mean, and which share of it is behind computation. */
function communicationOf({ timeline }: TrainingStep, gpus: number): Row {
  const { total, hidden, waiting } = communication(timeline);
  return {
    communicationMs: hundredths(total / gpus / 1e6),
    hidden: hundredths(hidden / total),
    waitingMs: hundredths(waiting / gpus / 1e6),
  };
}

/** A row with its rate beside that of one GPU alone, and of a large matrix product. */
function withShares(
  row: Row,
  { alone, matmulTFLOPs }: {
    readonly alone: ReadonlyMap<ExpertRows, number>;
    readonly matmulTFLOPs: number;
  },
): Row {
  if (row.TFLOPs === undefined) return row;
  const one = alone.get(row.expertRows as ExpertRows);
  const of = row.peer === "this project" && row.gpus !== 1 ? one : undefined;
  const each = Number(row.tokensPerSecond) / Number(row.gpus);
  return {
    ...row,
    shareOfMatmul: hundredths(Number(row.TFLOPs) / matmulTFLOPs),
    ...(of === undefined ? {} : { scaling: hundredths(each / of) }),
  };
}

const configurationOf = (gpus: number): Row => ({
  ...SIZES,
  engine: "cuda",
  world: `1 x ${gpus}`,
  orderedFor: TESTBED,
  dtype: "bfloat16, float32 masters",
  optimizer: "adamw",
  warmUp: COUNTS.warmUp,
  steps: COUNTS.steps,
  stepTFLOP: hundredths(stepFlops() / 1e12),
  scaling: "tokens/s of a GPU over those of one GPU alone, with the same tokens each",
  matmul: "8192 x 8192 x 8192 in bfloat16 on one GPU",
});
