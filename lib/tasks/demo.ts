/**
 * One layer under every scheduler, all-to-all and two codecs: prints a table, and writes a report
 * (`out/index.html`), Gantt charts and the timeline of all runs to `out/`.
 *
 * usage: deno task demo [--engine cpu|cuda] [--links emulated|plain] [--schedulers NAME,NAME]
 *
 * Times are those of the topology on both engines; with `--links plain`, what this machine takes.
 * @module
 */
import { topK } from "../blocks/mod.ts";
import { parseArgs } from "node:util";
import { BUILT_IN, createLayer, type MoeLayer, type Run } from "../layer/mod.ts";
import { type EngineOptions, openEngine } from "../engines/mod.ts";
import {
  communication,
  compare,
  concatTimelines,
  disturbance,
  formatPercent,
  formatTime,
  report,
  toArrow,
  toCSV,
} from "../timeline/mod.ts";
import { differClearly } from "../timeline/measures/spread.ts";
import { topology } from "../topology.ts";
import { SchemoeError } from "../types.ts";
import { didYouMean } from "../words.ts";
import { argumentProblem, task, taskArguments } from "./build/command.ts";

const CHUNKS = 4;
/** Runs of each choice; the median is shown. */
const REPEATS = 3;
const OUT = "out";

/**
 * Links and processors so slow that two cores compute what four ranks are paced to, and late wake-ups hide; links twice as
 * fast beside the processors as by default, so that they keep step with experts of half the model's width.
 */
const world = topology({
  nodes: 2,
  ranksPerNode: 2,
  intra: { beta: 1 / 50e6 },
  inter: { beta: 1 / 12.5e6 },
  processor: { flopRate: 5e9, byteRate: 1e9 },
});
/** Columns with the width of each; numbers, the later ones, are right aligned. */
const COLUMNS = {
  scheduler: 14,
  "all-to-all": 23,
  codec: 5,
  chunks: 6,
  pass: 8,
  makespan: 10,
  "speed-up": 8,
  hidden: 9,
  "above bound": 11,
  disturbed: 9,
};
const NAMES = 5;
const USAGE =
  "usage: deno task demo [--engine cpu|cuda] [--links emulated|plain] [--schedulers NAME,NAME]";

await task(async () => {
  const { kind, links, schedulers } = options();
  const computation = links === "plain" ? "real" : "paced";
  using engine = openEngine({ kind, topology: world, links, computation });
  using layer = createLayer(engine, {
    tokens: 512 / world.ranks,
    modelDim: 512,
    hiddenDim: 256,
    experts: 8,
    gate: topK({ k: 2 }),
  });
  await warmUp(layer);
  const runs: Run[] = [];
  for await (const run of allRuns(layer, schedulers)) {
    if (runs.length === 0) printHead(run, links);
    runs.push(run);
    printRow(run, runs.find(({ pass }) => pass === run.pass)!);
  }
  console.log(
    `\nmedians of ${REPEATS} runs; speed-up over sequential + linear + none of the same pass`,
  );
  printEqual(runs);
  printDisturbed(runs);
  for (const pass of ["forward", "backward"]) printFastest(runs.filter((run) => run.pass === pass));
  await save(runs);
});

function options(): {
  kind: "cpu" | "cuda";
  links: EngineOptions["links"];
  schedulers: readonly string[];
} {
  let values;
  try {
    ({ values } = parseArgs({
      args: taskArguments(USAGE),
      options: {
        engine: { type: "string", default: "cpu" },
        links: { type: "string", default: "emulated" },
        schedulers: { type: "string", default: BUILT_IN.scheduler.join() },
      },
    }));
  } catch (cause) {
    throw new SchemoeError(`${argumentProblem(cause)}; ${USAGE}`, { cause });
  }
  const { engine: kind, links } = values;
  const schedulers = values.schedulers.split(",");
  const unknown = schedulers.find((name) => !BUILT_IN.scheduler.includes(name));
  if (kind !== "cpu" && kind !== "cuda") {
    throw new SchemoeError(`Unknown engine "${kind}": choose from cpu, cuda; ${USAGE}`);
  }
  if (links !== "emulated" && links !== "plain") {
    throw new SchemoeError(`Unknown links "${links}": choose from emulated, plain; ${USAGE}`);
  }
  if (unknown !== undefined) {
    const known = BUILT_IN.scheduler;
    throw new SchemoeError(
      `Unknown scheduler "${unknown}": choose from ${known.join(", ")}${
        didYouMean(unknown, known)
      }`,
    );
  }
  return { kind, links, schedulers };
}

/** Each product once, in every shape: an engine chooses how to compute it at the first use, and loads it. */
async function warmUp(layer: MoeLayer): Promise<void> {
  for (const chunks of [1, CHUNKS]) {
    const choices = { chunks, compressor: "fp16", bound: false, results: false };
    await layer.forward(choices);
    await layer.backward(choices);
  }
}

/** Forward and backward of every choice, the baseline first. */
async function* allRuns(
  layer: MoeLayer,
  schedulers: readonly string[],
): AsyncGenerator<Run> {
  const first = (name: string, names: readonly string[]) =>
    names.toSorted((a, b) => Number(b === name) - Number(a === name));
  for (const scheduler of first("sequential", [...new Set(["sequential", ...schedulers])])) {
    for (const allToAll of first("linear", BUILT_IN.allToAll)) {
      for (const compressor of ["none", "fp16"]) {
        const chunks = scheduler === "sequential" ? 1 : CHUNKS;
        const name = `${scheduler}-${allToAll}-${compressor}`;
        const choices = {
          scheduler,
          allToAll,
          compressor,
          chunks,
          bound: true,
          results: false,
          repeats: REPEATS,
        };
        yield await layer.forward({ ...choices, name: `${name}-forward` });
        yield await layer.backward({ ...choices, name: `${name}-backward` });
      }
    }
  }
}

function printHead({ configuration }: Run, links: EngineOptions["links"]): void {
  const { tokens, modelDim, hiddenDim, experts, topK, capacity, expert, engine } = configuration;
  console.log(
    `\n${world.nodes} nodes x ${world.ranksPerNode} ranks, tokens ${tokens}, model ${modelDim}, hidden ${hiddenDim}, ` +
      `${experts} experts, top-${topK}, capacity ${capacity}, ${expert}\n${engine}${
        links === "plain" ? "" : `; ${rates()}`
      }\n`,
  );
  printCells(Object.keys(COLUMNS));
}

function printRow(run: Run, base: Run): void {
  const { scheduler, allToAll, compressor, chunks } = run.configuration;
  const { hidden, total } = communication(run.timeline);
  const late = disturbance(run);
  printCells([
    scheduler,
    allToAll,
    compressor,
    chunks,
    run.pass,
    formatTime(run.makespan * 1e9),
    `${(base.makespan / run.makespan).toFixed(2)}x`,
    formatPercent(hidden / total),
    formatPercent(run.makespan / run.bound! - 1),
    late === undefined ? "" : late.worst ? `${late.factor.toFixed(1)}x` : formatPercent(late.share),
  ]);
}

/** The shortest run of a pass that nothing held up; the first one is the baseline. */
function printFastest(runs: readonly Run[]): void {
  const calm = runs.filter((run) => !disturbance(run));
  if (calm[0] !== runs[0]) {
    console.log(`fastest ${runs[0].pass}: unknown, for its baseline was disturbed`);
    return;
  }
  const best = calm.reduce((least, run) => run.makespan < least.makespan ? run : least);
  const { scheduler, allToAll, compressor } = best.configuration;
  const near = calm.filter((run) => run !== best && !differClearly(best, run)).length;
  const speedUp = (runs[0].makespan / best.makespan).toFixed(2);
  console.log(
    `fastest ${best.pass}: ${scheduler} + ${allToAll} + ${compressor}, ` +
      `${formatTime(best.makespan * 1e9)}, ${speedUp}x` +
      (near > 0
        ? `; ${near} ${near === 1 ? "other is" : "others are"} not clearly slower (repeats overlap)`
        : ""),
  );
}

function printCells(cells: readonly unknown[]): void {
  const widths = Object.values(COLUMNS);
  const padded = cells.map((cell, i) =>
    i < NAMES ? `${cell}`.padEnd(widths[i]) : `${cell}`.padStart(widths[i])
  );
  console.log(padded.join("  ").trimEnd());
}

function rates(): string {
  const { links: { intra, inter }, processor } = world;
  const link = ({ alpha, beta }: typeof intra) => `${1e-6 / beta} MB/s + ${alpha * 1e6} us`;
  return `intra ${link(intra)}, inter ${link(inter)}, ${processor.flopRate / 1e9} GFLOP/s a rank`;
}

async function save(runs: readonly Run[]): Promise<void> {
  await Deno.mkdir(`${OUT}/charts`, { recursive: true });
  for (const run of runs) {
    await Deno.writeTextFile(`${OUT}/charts/${run.name}.svg`, await run.svg());
  }
  const pair = ["sequential-linear-none-forward", "optSche-pipe-none-forward"]
    .map((name) => runs.find((run) => run.name === name) ?? runs[0]);
  await Deno.writeTextFile(`${OUT}/compare.svg`, await compare(pair, { ranks: [0, 2] }).svg());
  const all = concatTimelines(...runs.map((run) => run.timeline));
  await Deno.writeTextFile(`${OUT}/timeline.csv`, toCSV(all));
  await Deno.writeFile(`${OUT}/timeline.arrow`, toArrow(all));
  const title = "One MoE layer under every scheduler, all-to-all and codec";
  await report(runs, { title, picture: (name) => `charts/${name}.svg` }).save(`${OUT}/index.html`);
  console.log(
    `wrote ${OUT}/index.html (all runs in one page), ${runs.length} charts, compare.svg, ` +
      "timeline.csv and timeline.arrow",
  );
}

/** Schedulers whose order is that of one before them, of which their times tell nothing new. */
function printEqual(runs: readonly Run[]): void {
  const orders = new Map<string, string>();
  const equal = new Map<string, number>();
  for (const { pass, ran, configuration: { scheduler, allToAll, compressor, chunking } } of runs) {
    const { order, dependencies } = ran.at(-1)!.program;
    const ids = order.map(({ id }) => id);
    const key = JSON.stringify([pass, allToAll, compressor, chunking, ids, dependencies]);
    const first = orders.get(key);
    if (first === undefined) orders.set(key, `${scheduler}`);
    else {
      const what = `${scheduler} as ${first} (${pass})`;
      equal.set(what, (equal.get(what) ?? 0) + 1);
    }
  }
  const list = [...equal].map(([what, count]) => `${what}: ${count}`).join(", ");
  console.log(`${orders.size} distinct orders${list && `; the same order: ${list}`}`);
}

/** A table of runs that something held up would say what held them up, not what a schedule does. */
function printDisturbed(runs: readonly Run[]): void {
  const disturbed = runs.filter((run) => disturbance(run));
  if (disturbed.length === 0) return;
  console.log(
    `disturbed: ${disturbed.length} of ${runs.length} runs took clearly longer than their order ` +
      "would with paced times, because this machine has other work or is too slow; run it again when it is quiet",
  );
}
