/**
 * How fast the exact scheduler is, how far from the lower bound, and how much Theorem 1's order loses.
 *
 * usage: deno run -A lib/tasks/bench/exact.ts   (all checks of it at full size; some minutes)
 * @module
 */
import { lowerBound } from "../../costs/mod.ts";
import { exactSchedule } from "../../schedulers/mod.ts";
import type { Pass } from "../../types.ts";
import * as checks from "./exact_checks.ts";
import { type Phases, randomInstance, randomNumbers } from "./exact_instances.ts";
import { largestLoss } from "./exact_ratio.ts";
import { median, type Report, type Row } from "./report.ts";

const INSTANCES = 40;
const TIME_LIMIT = 1;

/** Times to the proof, or the gap after a second, for eight chunks; and the losses of Theorem 1's order. */
export function benchExact(): Promise<Report> {
  const rows: Row[] = [];
  for (const phases of ["single", "pipe", "2dh"] as const) {
    for (const pass of ["forward", "backward"] as const) {
      for (const uneven of [false, true]) rows.push(speed({ phases, pass, uneven }));
    }
  }
  return Promise.resolve({
    configuration: {
      chunks: 8,
      instances: INSTANCES,
      timeLimit: `${TIME_LIMIT} s`,
      times: "random, the same for bench and tests; gap: optimum over lower bound - 1",
    },
    rows,
  });
}

function speed(options: { phases: Phases; pass: Pass; uneven: boolean }): Row {
  const random = randomNumbers(1);
  const times: number[] = [];
  const gaps: number[] = [];
  const bounds: number[] = [];
  for (let i = 0; i < INSTANCES; i++) {
    const { graph, costs } = randomInstance(random, { chunks: 8, around: true, ...options });
    const begin = performance.now();
    const found = exactSchedule(graph, costs, { timeLimit: TIME_LIMIT });
    times.push(performance.now() - begin);
    gaps.push(found.gap);
    bounds.push(found.seconds / lowerBound(graph, costs).seconds - 1);
  }
  const sorted = times.toSorted((a, b) => a - b);
  return {
    pass: options.pass,
    allToAll: options.phases,
    chunks: options.uneven ? "two sizes" : "equal",
    "median ms": round(median(times)),
    "90 % ms": round(sorted[Math.floor(0.9 * INSTANCES)]),
    "longest ms": round(sorted[INSTANCES - 1]),
    unproven: gaps.filter((gap) => gap > 0).length,
    "largest gap left": percent(Math.max(...gaps)),
    "median bound gap": percent(median(bounds)),
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;
const percent = (value: number): string => `${(100 * value).toFixed(2)} %`;

/** All checks with as many instances as the project promises, and the largest losses found. */
function fullChecks(): boolean {
  let passed = true;
  const runs: [string, (options: checks.CheckOptions) => checks.Report, number][] = [
    ["every order, r = 2, three lanes", checks.checkExhaustive, 1000],
    ["a search without dominance, r = 3", checks.checkPlainSearch, 100],
    ["every order, four unequal ranks", checks.checkRanks, 200],
    ["Theorem 1 inside its assumption", checks.checkTheorem, 10_000],
    ["all other schedulers, and bounds", checks.checkOthers, 10_000],
    ["bounds of simulated ranks that share processors", checks.checkSimulated, 10_000],
  ];
  for (const [name, run, count] of runs) {
    const begin = performance.now();
    const { failures, gaps } = run({ count });
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    const gap = `gap to the bound: median ${percent(median(gaps))}, largest ${
      percent(gaps.at(-1)!)
    }`;
    console.log(`${name}: ${count} instances, ${failures.length} failures, ${gap} (${seconds} s)`);
    failures.slice(0, 3).forEach((failure) => console.log(`  ${failure}`));
    passed &&= failures.length === 0;
  }
  for (const chunks of [2, 3, 4, 8]) {
    const search = { chunks, tries: chunks < 8 ? 3000 : 300, steps: chunks < 8 ? 3000 : 300 };
    const any = largestLoss(randomNumbers(1), { ...search, steps: 0 });
    const climbed = largestLoss(randomNumbers(1), search);
    const double = largestLoss(randomNumbers(1), {
      ...search,
      tie: (times) => ({ ...times, C2: times.C1, A2: 2 * times.A1, D2: times.D1 }),
    });
    const ratios = [any, climbed, double].map(({ ratio }) => `${ratio.toFixed(3)}x`);
    console.log(
      `r = ${chunks}, Theorem 1 over exact: random ${ratios[0]}, searched ${ratios[1]}, A2 = 2 A1 ${
        ratios[2]
      }`,
    );
  }
  return passed;
}

if (import.meta.main && !fullChecks()) Deno.exitCode = 1;
