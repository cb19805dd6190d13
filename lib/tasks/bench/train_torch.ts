/** The model of `bench train` in PyTorch, beside which the steps of this project are timed. @module */
import { quiet } from "../build/command.ts";
import { hundredths, type Row } from "./report.ts";
import { SIZES, type StepCounts, stepFlops } from "./train_steps.ts";

/** Ways of running it: operation by operation, and compiled. */
export type TorchVariant = "eager" | "compile";

/** How PyTorch's side runs. */
export interface TorchOptions extends StepCounts {
  /** Processes, one a GPU; default 1. */
  readonly gpus?: number;
  /** Default both. */
  readonly variants?: readonly TorchVariant[];
}

/** Rows of PyTorch's variants, and the rate of a large matrix product there. */
export interface TorchRows {
  readonly rows: readonly Row[];
  readonly matmulTFLOPs?: number;
}

/**
 * Times PyTorch's steps: on several GPUs experts are sharded over the processes and exchanged by NCCL, gradients of all
 * else are averaged by `DistributedDataParallel`.
 * @throws {SchemoeError} with all that was printed, when the script ends with an error.
 */
export async function torchRows(options: TorchOptions): Promise<TorchRows> {
  const { gpus = 1, variants = ["eager", "compile"], warmUp, steps } = options;
  const sizes = JSON.stringify({ ...SIZES, steps, warm: warmUp });
  const script = [`${import.meta.dirname}/torch_model.py`, sizes, ...variants];
  const port = freePort();
  const texts = await Promise.all(
    Array.from(
      { length: gpus },
      (_, rank) => quiet(["python3", ...script], { env: environment(gpus, rank, port) }),
    ),
  );
  const lines = texts[0].trim().split("\n").filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
  const matmulTFLOPs = lines.find(({ peer }) => peer === "matrix product")?.tflops;
  return {
    rows: lines.filter(({ peer }) => peer !== "matrix product").map((line) =>
      line.failed === undefined ? rowOf(line, gpus) : line
    ),
    ...(matmulTFLOPs === undefined ? {} : { matmulTFLOPs }),
  };
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

/** What tells a process of several which it is and where they meet. */
function environment(gpus: number, rank: number, port: number): Record<string, string> {
  if (gpus === 1) return {};
  return {
    ...{ RANK: `${rank}`, WORLD_SIZE: `${gpus}`, MASTER_ADDR: "127.0.0.1", MASTER_PORT: `${port}` },
    ...{ NCCL_NVLS_ENABLE: "0", NCCL_SOCKET_IFNAME: "lo", OMP_NUM_THREADS: "4" },
  };
}

// deno-lint-ignore no-explicit-any
const rowOf = (line: any, gpus: number): Row => ({
  peer: line.peer,
  expertRows: "dropless",
  ...(gpus > 1 ? { gpus, transport: "nccl" } : {}),
  stepMs: line.step_ms,
  leastMs: line.least_ms,
  mostMs: line.most_ms,
  tokensPerSecond: line.tokens_per_second,
  TFLOPs: hundredths(stepFlops() / Number(line.step_ms) / 1e9),
  memoryGB: line.peak_gb,
  readyS: line.ready_s,
  forwardMs: line.forward_ms,
  backwardMs: line.backward_ms,
  updateMs: line.update_ms,
  firstLoss: line.losses[0],
});
