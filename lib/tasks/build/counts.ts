/** Counts of tests, added up over the stages of CI, which are processes of their own. */

/** Tests of one suite by outcome. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** Names, with the reason where one is known. */
  readonly skipped: readonly string[];
}

export const NOTHING: Counts = { passed: 0, failed: 0, skipped: [] };

/** Variable with the path of a file to which a stage adds a line of JSON for each of its suites. */
export const COUNTS_VARIABLE = "SCHEMOE_COUNTS";

export function sum(suites: readonly Counts[]): Counts {
  return suites.reduce((a, b) => ({
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: [...a.skipped, ...b.skipped],
  }), NOTHING);
}

/** Reports the counts of a suite to CI, if this is part of it. */
export async function tell(counts: Counts): Promise<void> {
  const path = Deno.env.get(COUNTS_VARIABLE);
  if (path) await Deno.writeTextFile(path, `${JSON.stringify(counts)}\n`, { append: true });
}

/**
 * Counts of a stage: the lines that it wrote, and one failure for a status that none of them
 * explains, such as that of a stage which ran out of time.
 */
export function stageCounts(lines: string, status: number): Counts {
  const counts = sum(lines.split("\n").filter(Boolean).map((line) => JSON.parse(line) as Counts));
  return status !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

/** Skipped tests by name, if any, and the last line of every task that tests: `N passed, M failed`. */
export function summary({ passed, failed, skipped }: Counts): string {
  const names = skipped.map((name) => `  ${name}\n`).join("");
  const said = skipped.length > 0 ? `${skipped.length} skipped:\n${names}` : "";
  return `${said}${passed} passed, ${failed} failed`;
}
