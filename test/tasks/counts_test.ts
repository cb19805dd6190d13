import { assertEquals } from "@std/assert";
import {
  COUNTS_VARIABLE,
  NOTHING,
  stageCounts,
  sum,
  summary,
  tell,
} from "../../lib/tasks/build/counts.ts";

Deno.test("summary() names what was skipped and ends with `N passed, M failed`", () => {
  assertEquals(summary({ passed: 3, failed: 0, skipped: [] }), "3 passed, 0 failed");
  assertEquals(
    summary({ passed: 3, failed: 1, skipped: ["no GPU", "no nvcc"] }),
    "2 skipped:\n  no GPU\n  no nvcc\n3 passed, 1 failed",
  );
});

Deno.test("sum() adds suites", () => {
  assertEquals(sum([]), NOTHING);
  const suites = [
    { passed: 1, failed: 2, skipped: ["a"] },
    { passed: 3, failed: 0, skipped: ["b"] },
  ];
  assertEquals(sum(suites), { passed: 4, failed: 2, skipped: ["a", "b"] });
});

Deno.test("stageCounts() counts a stage that failed without a failed test as one failure", () => {
  const line = `${JSON.stringify({ passed: 5, failed: 0, skipped: ["a"] })}\n`;
  assertEquals(stageCounts(line + line, 0), { passed: 10, failed: 0, skipped: ["a", "a"] });
  assertEquals(stageCounts(line, 124), { passed: 5, failed: 1, skipped: ["a"] });
  assertEquals(stageCounts("", 0), NOTHING);
  assertEquals(stageCounts("", 1), { ...NOTHING, failed: 1 });
  const failed = JSON.stringify({ passed: 0, failed: 3, skipped: [] });
  assertEquals(stageCounts(failed, 1).failed, 3);
});

Deno.test("tell() adds a line to CI's file, and does nothing elsewhere", async () => {
  const before = Deno.env.get(COUNTS_VARIABLE);
  const path = await Deno.makeTempFile();
  try {
    Deno.env.delete(COUNTS_VARIABLE);
    await tell({ passed: 1, failed: 0, skipped: [] });
    Deno.env.set(COUNTS_VARIABLE, path);
    await tell({ passed: 1, failed: 0, skipped: ["a"] });
    await tell({ passed: 0, failed: 2, skipped: [] });
    const counts = stageCounts(await Deno.readTextFile(path), 1);
    assertEquals(counts, { passed: 1, failed: 2, skipped: ["a"] });
  } finally {
    if (before === undefined) Deno.env.delete(COUNTS_VARIABLE);
    else Deno.env.set(COUNTS_VARIABLE, before);
    await Deno.remove(path);
  }
});
