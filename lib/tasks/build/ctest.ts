/** Native tests of one build. @module */
import { root, run } from "./command.ts";
import type { Counts } from "./counts.ts";
import { countJunit } from "./junit.ts";

/** Which tests of a build, and what they find in their environment. */
export interface CtestOptions {
  /** Arguments of ctest that choose tests; default all. */
  readonly choice?: readonly string[];
  readonly env?: Record<string, string>;
}

/** Runs tests of `native/build/PRESET`; none at all is a failure. */
export async function ctest(
  preset: string,
  { choice = [], env = {} }: CtestOptions = {},
): Promise<Counts> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  const status = await run([
    "ctest",
    "--test-dir",
    `${root}/native/build/${preset}`,
    "--no-tests=error",
    "--output-on-failure",
    "--output-junit",
    report,
    "--timeout",
    "300",
    ...choice,
  ], { env });
  const counts = await countJunit(report, status);
  await Deno.remove(report);
  return counts;
}
