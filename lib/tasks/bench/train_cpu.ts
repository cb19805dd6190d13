/** Training steps of a small model on the CPU engine, in turn with the same model in PyTorch. @module */
import process from "node:process";
import { ffn, gshard, topK } from "../../blocks/mod.ts";
import { openEngine } from "../../engines/mod.ts";
import { blasCore } from "../../native/library.ts";
import { createModel, type ModelConfig, type MoeModel } from "../../model/mod.ts";
import { randomTokens } from "../../training/mod.ts";
import { hundredths, median, type Report, type Row } from "./report.ts";

/** The model that learns six novels (`bench curves`), under the names of `torch_train.py` too. */
const SIZES = {
  vocabulary: 81,
  context: 128,
  batch: 16,
  modelDim: 128,
  heads: 4,
  layers: 4,
  experts: 8,
  topK: 2,
  hiddenDim: 192,
};

/** Steps of each before its times count, and those that do: one of each in turn. */
const WARM_UP = 3, STEPS = 5;

/** Ranks of ours, each a thread that computes, and what rows the experts have. */
const OURS = [
  { ranks: 1, routing: { dropless: true } },
  { ranks: 2, routing: { dropless: true } },
  { ranks: 1, routing: { capacityFactor: 0 } },
] as const;

/** Threads of PyTorch, and of OpenBLAS below it. */
const THREADS = [[1, 1], [1, 2], [2, 1], [2, 2]] as const;

/** What a step took, in milliseconds: of a clock, and of all cores, which other work beside disturbs less. */
interface Step {
  readonly ms: number;
  readonly cpuMs: number;
}

/** Something that trains step by step. */
interface Peer extends AsyncDisposable {
  readonly row: Row;
  step(): Promise<Step>;
}

/** Milliseconds of this process on all cores. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

function ours({ ranks, routing }: typeof OURS[number]): Peer {
  const engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: ranks, links: "plain" });
  const { vocabulary, context, batch, modelDim, heads, layers, experts, hiddenDim } = SIZES;
  const moe = {
    ...{ experts, hiddenDim, expert: ffn({ activation: "gelu" }), gate: topK({ k: SIZES.topK }) },
    ...{ routing, losses: [gshard({ weight: 0.01 })] },
  };
  const config: ModelConfig = {
    ...{ vocabulary, context, batch: batch / ranks, modelDim, attention: { heads } },
    layers: Array.from({ length: layers }, () => ({ moe })),
  };
  const model: MoeModel = createModel(engine, config);
  const tokens = randomTokens({ vocabulary }).batch({ step: 0, sequences: batch, context });
  const scheduler = ranks > 1 ? "optSche" : "sequential";
  return {
    row: { peer: "this project", threads: ranks, rows: Object.keys(routing)[0] },
    async step() {
      const [began, before] = [performance.now(), cpuTime()];
      await model.step(tokens, { scheduler, bound: false });
      return { ms: performance.now() - began, cpuMs: cpuTime() - before };
    },
    async [Symbol.asyncDispose]() {
      await engine.idle();
      model.close();
      engine[Symbol.dispose]();
    },
  };
}

/** Whether PyTorch can be imported, by the interpreter that Debian's package is for. */
const PYTHON = "/usr/bin/python3";

/** A process of PyTorch, or undefined where there is none. */
async function torch([threads, blas]: readonly [number, number]): Promise<Peer | undefined> {
  const script = `${import.meta.dirname}/torch_train.py`;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(PYTHON, {
      args: [script, JSON.stringify(SIZES), `${threads}`],
      // the same kernels as ours: alone, a PyTorch older than the processor takes slow ones
      env: {
        OPENBLAS_CORETYPE: Deno.env.get("OPENBLAS_CORETYPE") ?? blasCore(),
        OMP_WAIT_POLICY: "passive",
        OPENBLAS_NUM_THREADS: `${blas}`,
      },
      ...{ stdin: "piped", stdout: "piped", stderr: "null" },
    }).spawn();
  } catch {
    return undefined;
  }
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const writer = child.stdin.getWriter();
  let rest = "";
  const answer = async (): Promise<Record<string, number | string> | undefined> => {
    while (!rest.includes("\n")) {
      const { value, done } = await lines.read();
      if (done) return undefined;
      rest += value;
    }
    const [line] = rest.split("\n", 1);
    rest = rest.slice(line.length + 1);
    return JSON.parse(line);
  };
  const end = async () => {
    await writer.close().catch(() => {});
    await child.status;
  };
  const about = await answer();
  if (!about) {
    await end();
    return undefined;
  }
  return {
    row: { peer: `torch ${about.torch}`, threads, blasThreads: blas },
    async step() {
      await writer.write(new TextEncoder().encode("\n"));
      const { ms, cpu_ms } = (await answer())!;
      return { ms: Number(ms), cpuMs: Number(cpu_ms) };
    },
    [Symbol.asyncDispose]: end,
  };
}

/**
 * Milliseconds of a step of each, and as a share of PyTorch's best setting: medians, and where other work runs beside
 * least times and times of all cores. PyTorch is left out where it is missing (Debian: python3-torch).
 * @param options.steps of each that count; default 5.
 */
export async function trainCpu({ steps = STEPS }: { steps?: number } = {}): Promise<Report> {
  await using stack = new AsyncDisposableStack();
  const peers: Peer[] = OURS.map((one) => stack.use(ours(one)));
  let missing = false;
  for (const setting of THREADS) {
    const peer = await torch(setting);
    if (peer) peers.push(stack.use(peer));
    else missing = true;
  }
  const times = peers.map((): Step[] => []);
  for (let step = -WARM_UP; step < steps; step++) {
    for (const [i, peer] of peers.entries()) {
      const took = await peer.step();
      if (step >= 0) times[i].push(took);
    }
  }
  const figures: Readonly<Record<string, readonly number[]>> = {
    step: times.map((list) => median(list.map(({ ms }) => ms))),
    least: times.map((list) => Math.min(...list.map(({ ms }) => ms))),
    cpu: times.map((list) => Math.min(...list.map(({ cpuMs }) => cpuMs))),
  };
  return {
    configuration: {
      ...SIZES,
      ...{ dtype: "float32", optimizer: "adamw", engine: "cpu", blas: blasCore(), steps },
      ...(missing ? { missing: "PyTorch (apt-get install python3-torch)" } : {}),
    },
    rows: peers.map(({ row }, i) => ({
      ...row,
      ...Object.fromEntries(
        Object.entries(figures).flatMap(([name, list]) => {
          const theirs = list.slice(OURS.length);
          return [
            [`${name}Ms`, hundredths(list[i])],
            ...(theirs.length > 0
              ? [[`${name}OfTorch`, hundredths(list[i] / Math.min(...theirs))]]
              : []),
          ];
        }),
      ),
    })),
  };
}

export const benchTrainCpu = (): Promise<Report> => trainCpu();
