/**
 * The gate of a change: formatting, lint, types, documentation examples, all native tests under
 * sanitizers, CUDA's kernels lane by lane, all tests. Every stage runs, whatever came of those before, and every stage is counted; ends with
 * the skipped stages and `N passed, M failed`.
 */
import { run, task } from "./build/command.ts";
import { type Counts, COUNTS_VARIABLE, stageCounts, sum, summary } from "./build/counts.ts";

/** Tasks of deno.json, and the minutes that each may take. */
const STAGES: readonly [name: string, args: readonly string[], minutes: number][] = [
  ["native", [], 15],
  ["ok", ["--quick"], 10],
  ["examples", [], 15],
  ["sanitize", [], 40],
  ["emulate", [], 15],
  ["test", [], 60],
];

await task(async () => {
  const suites: Counts[] = [];
  const table: string[] = [];
  for (const [name, args, minutes] of STAGES) {
    console.log(`== ${name}`);
    const counts = await stage([Deno.execPath(), "task", name, ...args], minutes);
    suites.push(counts);
    table.push(
      `${name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped.length} skipped`,
    );
  }
  const all = sum(suites);
  console.log(`\n${table.join("\n")}\n${summary(all)}`);
  return all.failed > 0 || all.passed === 0 ? 1 : 0;
});

async function stage(argv: readonly string[], minutes: number): Promise<Counts> {
  const path = await Deno.makeTempFile();
  const status = await run(["timeout", `${minutes}m`, ...argv], {
    env: { [COUNTS_VARIABLE]: path },
  });
  const lines = await Deno.readTextFile(path);
  await Deno.remove(path);
  return stageCounts(lines, status);
}
