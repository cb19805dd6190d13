/**
 * `deno task placements`: every reference case, padded and dropless, with its experts placed in six ways, in one expert
 * group and in groups smaller than the world (inside and across nodes), under every scheduler and all-to-all.
 * Compared with the reference, and bit by bit under all orders and exchanges.
 *
 * Options: `--engine cpu|cuda`, `--nodes N` (default 2; cases whose ranks do not fill them are left out), `--quick` (one
 * scheduler and all-to-all each), names of cases.
 * @module
 */
import { openEngine } from "../engines/mod.ts";
import { BUILT_IN } from "../layer/built_in.ts";
import type { PassChoices } from "../layer/choices.ts";
import { placementCases } from "../studies/placement_cases.ts";
import {
  type GoldenCase,
  goldenErrors,
  parseGolden,
  repeatRanks,
  runGolden,
} from "../studies/golden.ts";
import { SchemoeError } from "../types.ts";
import { withoutPadding } from "./bench/without_padding.ts";

/** Largest relative error of float32. */
const EXACT = 1e-5;
/** Orders of their own sums, or too slow to go through all cases with. */
const APART = ["exact", "fasterMoE", "sumAnyOrder"];

interface Options {
  readonly kind: "cpu" | "cuda";
  readonly nodes: number;
  readonly quick: boolean;
  readonly names: readonly string[];
}

/** @throws {SchemoeError} for an option that there is not. */
function placementOptions(given: readonly string[]): Options {
  const names: string[] = [];
  let [kind, nodes, quick]: [string, number, boolean] = ["cpu", 2, false];
  const list = [...given];
  for (let arg = list.shift(); arg !== undefined; arg = list.shift()) {
    if (arg === "--quick") quick = true;
    else if (arg === "--engine") kind = list.shift() ?? "";
    else if (arg === "--nodes") nodes = Number(list.shift());
    else if (arg === "--") continue;
    else if (arg.startsWith("-")) {
      fail(`"${arg}" is not an option (--engine cpu|cuda, --nodes N, --quick, names of cases)`);
    } else names.push(arg);
  }
  if (kind !== "cpu" && kind !== "cuda") fail(`--engine must be cpu or cuda, got "${kind}"`);
  if (!Number.isInteger(nodes) || nodes < 1) fail("--nodes must be a positive integer");
  return { kind, nodes, quick, names };
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot go through the placements: ${problem}`);
}

/** Cases of a folder, and their dropless forms. */
function casesOf(folder: URL, names: readonly string[]): GoldenCase[] {
  const found = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith(".safetensors")).sort()
    .map((name) => parseGolden(Deno.readFileSync(new URL(name, folder)), name))
    .filter(({ name }) => names.length === 0 || names.includes(name));
  return found.flatMap((golden) => {
    const { capacityFactor = 1, dropless } = golden.config.routing ?? {};
    return capacityFactor === 0 && !dropless
      ? [golden, { ...withoutPadding(golden), name: `${golden.name}, dropless` }]
      : [golden];
  });
}

/** The case in one expert group, and in two in both layouts. */
function layoutsOf(golden: GoldenCase): GoldenCase[] {
  const groups = (["inside", "across"] as const).map((layout) => {
    const parallel = { expert: golden.ranks, layout };
    const grouped = { ...golden, config: { ...golden.config, parallel } };
    return { ...repeatRanks(grouped, 2 * golden.ranks), name: `${golden.name}, ${layout}` };
  });
  return [golden, ...groups];
}

function choicesOf(quick: boolean): PassChoices[] {
  if (quick) return [{ chunks: 2, scheduler: "optSche", allToAll: "pipe" }];
  const schedulers = BUILT_IN.scheduler.filter((name) => !APART.includes(name));
  return [
    ...schedulers.map((scheduler) => ({ chunks: 2, scheduler })),
    ...BUILT_IN.allToAll.map((allToAll) => ({ chunks: 2, allToAll })),
  ];
}

const sameBits = (a: Float32Array, b: Float32Array): boolean =>
  a.length === b.length && a.every((value, i) => Object.is(value, b[i]));

/** Why a case cannot run on so many nodes, as its line says; undefined where it can. */
export const leftOut = (
  { name, ranks }: Pick<GoldenCase, "name" | "ranks">,
  nodes: number,
): string | undefined =>
  ranks % nodes === 0
    ? undefined
    : `${name}: left out, its ${ranks} ranks do not fill ${nodes} nodes`;

/** Runs of a case under its placements: how many, and lines on those that are wrong. */
async function check(golden: GoldenCase, options: Options) {
  const { kind, nodes } = options;
  const { ranks, config } = golden;
  const wrong: string[] = [];
  let runs = 0;
  let worst = 0;
  using engine = openEngine({ kind, nodes, ranksPerNode: ranks / nodes, links: "plain" });
  const size = config.parallel?.expert ?? ranks;
  for (const placement of placementCases(config.experts, size)) {
    const placed = { ...golden, config: { ...config, placement } };
    let whole: Map<string, Float32Array> | undefined;
    for (const choices of choicesOf(options.quick)) {
      const what = `${golden.name}, ${placement.name}, ${choices.scheduler ?? "sequential"}, ${
        choices.allToAll ?? "linear"
      }`;
      const results = await runGolden(engine, placed, choices);
      runs++;
      for (const [tensor, error] of Object.entries(goldenErrors(placed, results))) {
        worst = Math.max(worst, error);
        if (!(error < EXACT)) wrong.push(`${what}: ${tensor} is off by ${error.toExponential(1)}`);
      }
      whole ??= results;
      for (const [tensor, values] of results) {
        if (!sameBits(values, whole.get(tensor)!)) wrong.push(`${what}: other bits in ${tensor}`);
      }
    }
  }
  return { runs, worst, wrong };
}

if (import.meta.main) {
  const options = placementOptions(Deno.args);
  const folders = ["", "gates/"].map((name) =>
    new URL(`../../test/golden/${name}`, import.meta.url)
  );
  let [runs, worst, wrong] = [0, 0, 0];
  for (const golden of folders.flatMap((folder) => casesOf(folder, options.names))) {
    for (const given of layoutsOf(golden)) {
      const without = leftOut(given, options.nodes);
      if (without) {
        console.log(without);
        continue;
      }
      const found = await check(given, options);
      runs += found.runs;
      worst = Math.max(worst, found.worst);
      wrong += found.wrong.length;
      for (const line of found.wrong.slice(0, 10)) console.log(line);
      console.log(
        `${given.name}: ${found.runs} runs, ${found.wrong.length} wrong, largest error ${
          found.worst.toExponential(1)
        }`,
      );
    }
  }
  console.log(
    `${runs} runs on the ${options.kind} engine: ${wrong} wrong, largest error ${
      worst.toExponential(1)
    }`,
  );
  if (wrong > 0 || runs === 0) Deno.exit(1);
}
