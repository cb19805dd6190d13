/**
 * One layer under every scheduler, all-to-all and two codecs: prints a table, and writes Gantt charts and
 * the timeline of all runs to `out/`.
 *
 * usage: deno task demo [--engine cpu|cuda] [--links emulated|plain]
 *
 * Times are those of the topology on both engines; with `--links plain`, what this machine takes.
 * @module
 */
import { parseArgs } from "node:util";
import { BUILT_IN, createLayer, type MoeLayer, type Run } from "../moe/mod.ts";
import { type EngineOptions, openEngine } from "../engines/mod.ts";
import {
  communication,
  compare,
  concatTimelines,
  formatPercent,
  formatTime,
  toArrow,
  toCSV,
} from "../timeline/mod.ts";
import { topology } from "../topology.ts";
import { SchemoeError } from "../types.ts";
import { task } from "./command.ts";

const CHUNKS = 4;
const OUT = "out";

/** Twice the default links, so that they keep step with experts of half the model's width. */
const world = topology({
  ...{ nodes: 2, ranksPerNode: 2 },
  intra: { beta: 1 / 200e6 },
  inter: { beta: 1 / 50e6 },
});
const USAGE = "usage: deno task demo [--engine cpu|cuda] [--links emulated|plain]";

await task(async () => {
  const { kind, links } = options();
  const computation = links === "plain" ? "real" : "paced";
  using engine = openEngine({ kind, topology: world, links, computation });
  using layer = createLayer(engine, {
    ...{ tokens: 4096 / world.ranks, modelDim: 512, hiddenDim: 256, experts: 8, topK: 2 },
  });
  const runs = await runAll(layer);
  print(runs, links);
  await save(runs);
});

function options(): { kind: "cpu" | "cuda"; links: EngineOptions["links"] } {
  let values;
  try {
    ({ values } = parseArgs({
      args: Deno.args,
      options: {
        engine: { type: "string", default: "cpu" },
        links: { type: "string", default: "emulated" },
      },
    }));
  } catch (cause) {
    throw new SchemoeError(`${(cause as Error).message}; ${USAGE}`, { cause });
  }
  const { engine: kind, links } = values;
  if (kind !== "cpu" && kind !== "cuda") {
    throw new SchemoeError(`Unknown engine "${kind}": choose from cpu, cuda; ${USAGE}`);
  }
  if (links !== "emulated" && links !== "plain") {
    throw new SchemoeError(`Unknown links "${links}": choose from emulated, plain; ${USAGE}`);
  }
  return { kind, links };
}

async function runAll(layer: MoeLayer): Promise<Run[]> {
  const runs: Run[] = [];
  // the baseline first
  const schedulers = BUILT_IN.scheduler.toSorted((a, b) =>
    Number(b === "sequential") - Number(a === "sequential")
  );
  for (const scheduler of schedulers) {
    for (const allToAll of BUILT_IN.allToAll) {
      for (const compressor of ["none", "fp16"]) {
        const chunks = scheduler === "sequential" ? 1 : CHUNKS;
        const name = `${scheduler}-${allToAll}-${compressor}`;
        const choices = { scheduler, allToAll, compressor, chunks, results: false };
        runs.push(await layer.forward({ ...choices, name: `${name}-forward` }));
        runs.push(await layer.backward({ ...choices, name: `${name}-backward` }));
      }
    }
  }
  return runs;
}

function print(runs: readonly Run[], links: EngineOptions["links"]): void {
  const { tokens, modelDim, hiddenDim, experts, topK, capacity, expert, engine: on } =
    runs[0].configuration;
  console.log(
    `\n${world.nodes} nodes x ${world.ranksPerNode} ranks, ${tokens}, model ${modelDim}, hidden ${hiddenDim}, ` +
      `${experts} experts, top-${topK}, capacity ${capacity}, ${expert}\n${on}${
        links === "plain" ? "" : `; ${rates()}`
      }\n`,
  );
  const head = [
    "scheduler",
    "all-to-all",
    "codec",
    "chunks",
    "pass",
    "makespan",
    "speed-up",
    "hidden",
    "above bound",
  ];
  const rows = runs.map((run) => {
    const { scheduler, allToAll, compressor, chunks } = run.configuration;
    const base = runs.find(({ name }) => name === `sequential-linear-none-${run.pass}`)!;
    const { hidden, total } = communication(run.timeline);
    return [
      ...[scheduler, allToAll, compressor, chunks, run.pass, formatTime(run.makespan * 1e9)],
      `${(base.makespan / run.makespan).toFixed(2)}x`,
      ...[formatPercent(hidden / total), formatPercent(run.makespan / run.bound! - 1)],
    ].map(String);
  });
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i].length)));
  for (const row of [head, ...rows]) {
    console.log(
      row.map((cell, i) => i < 5 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  "),
    );
  }
  console.log(
    "\nspeed-up over sequential + linear + none of the same pass; bound from each task's time alone",
  );
}

function rates(): string {
  const { links: { intra, inter }, processor } = world;
  const link = ({ alpha, beta }: typeof intra) => `${1e-6 / beta} MB/s + ${alpha * 1e6} us`;
  return `intra ${link(intra)}, inter ${link(inter)}, ${processor.flopRate / 1e9} GFLOP/s a rank`;
}

async function save(runs: readonly Run[]): Promise<void> {
  await Deno.mkdir(OUT, { recursive: true });
  for (const run of runs) await Deno.writeTextFile(`${OUT}/${run.name}.svg`, await run.gantt());
  const pair = ["sequential-linear-none-forward", "optSche-pipe-none-forward"]
    .map((name) => runs.find((run) => run.name === name)!);
  await Deno.writeTextFile(`${OUT}/compare.svg`, await compare(pair, { ranks: [0, 2] }).svg());
  const all = concatTimelines(...runs.map((run) => run.timeline));
  await Deno.writeTextFile(`${OUT}/timeline.csv`, toCSV(all));
  await Deno.writeFile(`${OUT}/timeline.arrow`, toArrow(all));
  console.log(
    `wrote ${runs.length} Gantt charts, compare.svg, timeline.csv and timeline.arrow to ${OUT}/`,
  );
}
