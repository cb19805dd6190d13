/** Tests of one suite, by what came of them. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/**
 * Counts a JUnit report. A suite that ended badly without a failed test (a module that does not
 * load, a crash) or without a report counts as one failure.
 */
export async function countJunit(path: string, status: number): Promise<Counts> {
  const xml = await Deno.readTextFile(path).catch(() => "");
  const cases = xml.match(/<testcase\b[^>]*\/>|<testcase\b[^]*?<\/testcase>/g) ?? [];
  // Not run, and not because it skipped itself: a program that is not there.
  const bad = /<(failure|error)\b|^[^>]*status="notrun"(?![^]*message="SKIP_RETURN_CODE)/;
  const failed = cases.filter((text) => bad.test(text)).length;
  const skipped = cases.filter((text) => !bad.test(text) && /<skipped\b/.test(text)).length;
  return {
    passed: cases.length - failed - skipped,
    failed: status !== 0 && failed === 0 ? 1 : failed,
  };
}
