/**
 * A process of its own in which NVTX can load a tool: runs a small layer twice, forward and backward, and
 * prints what its timelines hold. Its argument is a {@linkcode Setup} as JSON.
 */
import {
  createLayer,
  type EngineOptions,
  openEngine,
  spawnWorkers,
  topK,
  topology,
} from "../../mod.ts";

export interface Setup {
  readonly engine: EngineOptions;
  /** Over two processes. */
  readonly workers?: boolean;
  /** Links so slow that a pass is stopped in the middle of its first all-to-all. */
  readonly stops?: boolean;
}

/** What is printed: operations in timelines, and the Programs that ran. */
export interface Ran {
  readonly operations: readonly Operation[];
  readonly programs: readonly string[];
}

export interface Operation {
  readonly name: string;
  readonly rank: number;
  readonly lane: string;
  readonly communicates: boolean;
}

/** A minute for each transfer. */
const slow = topology({ nodes: 1, ranksPerNode: 2, intra: { alpha: 60 } });

if (import.meta.main) {
  const ran = await runLayer(JSON.parse(Deno.args[0]));
  console.log(JSON.stringify(ran));
  Deno.exit(0);
}

async function runLayer({ engine: options, workers: several, stops }: Setup): Promise<Ran> {
  await using workers = several ? await spawnWorkers(1) : undefined;
  const { kind, ...rest } = options;
  using engine = await workers?.openEngine(kind === "simulate" ? rest : { ...rest, kind }) ??
    openEngine(stops ? { ...options, topology: slow } : options);
  using layer = createLayer(engine, {
    tokens: 32,
    modelDim: 16,
    hiddenDim: 32,
    experts: 2 * engine.topology.ranks,
    gate: topK({ k: 2 }),
  });
  const choices = { scheduler: "optSche", allToAll: "pipe", chunks: 2, bound: false } as const;
  const operations: Operation[] = [];
  const programs: string[] = [];
  const keep = (run: Awaited<ReturnType<typeof layer.forward>>) => {
    programs.push(
      ...run.ran.map(({ program: { graph, scheduler } }) => `${graph.pass} ${scheduler}`),
    );
    for (const row of run.timeline.objects() as (Operation & { kind: string })[]) {
      const { name, rank, lane, kind } = row;
      operations.push({
        name,
        rank,
        lane,
        communicates: kind === "allToAll" || kind === "allReduce",
      });
    }
  };
  // the parameters are made by a Program too
  const initialized = () => {
    programs.push("forward initialize");
    for (let rank = 0; rank < engine.topology.ranks; rank++) {
      operations.push({ name: "initialize", rank, lane: "compute", communicates: false });
    }
  };
  await layer.ready();
  initialized();
  for (let time = 0; time < 2; time++) {
    if (stops) {
      const run = layer.forward({ ...choices, timeLimit: 0.5 });
      const error = await run.then(() => new Error("it ended"), (error) => error);
      if (!/Cannot finish the run/.test(error.message)) throw error;
      continue;
    }
    keep(await layer.forward(choices));
    // the first backward pass makes its gradient at the output
    if (time === 0) initialized();
    keep(await layer.backward(choices));
  }
  return { operations, programs };
}
