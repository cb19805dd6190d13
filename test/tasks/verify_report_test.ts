import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { lineOf, summaryOf, type VerifyResult } from "../../lib/tasks/verify/report.ts";

const result = (changes: Partial<VerifyResult> = {}): VerifyResult => ({
  case: "a",
  engine: "cpu",
  dtype: "float32",
  nodes: 2,
  ranks: 4,
  scheduler: "sequential",
  allToAll: "linear",
  compressor: "none",
  chunks: 2,
  chunking: "capacity",
  rows: "padded",
  errors: { y: 1e-7, x: 2e-7 },
  norm: "max",
  pass: true,
  digest: "00",
  ...changes,
});

Deno.test("summaryOf() counts runs and keeps the largest error of each tensor, and every hash", () => {
  const summary = summaryOf([
    result(),
    result({ scheduler: "optSche", errors: { y: 3e-7, x: 1e-7 } }),
    result({ allToAll: "pipe", errors: { y: 2, x: 0 }, pass: false, digest: "01" }),
  ]);
  assertEquals(summary.runs, 3);
  assertEquals(summary.passed, 2);
  assertEquals(summary.pass, false);
  assertEquals(summary.schedulers, 2);
  assertEquals(summary.allToAlls, 2);
  assertEquals(summary.errors, { y: 2, x: 2e-7 });
  assertEquals(summary.digests, ["00", "01"]);
  assert(!("scheduler" in summary));
});

Deno.test("summaryOf() takes NaN for the largest error, wherever it comes", () => {
  for (const errors of [[NaN, 1], [1, NaN]]) {
    assertEquals(summaryOf(errors.map((y) => result({ errors: { y } }))).errors.y, NaN);
  }
});

Deno.test("summaryOf() needs runs", () => {
  assertThrows(() => summaryOf([]), RangeError);
});

Deno.test("lineOf() names the run or counts the runs, and the hashes that there are", () => {
  const one = lineOf(result({ devices: "0,1" }));
  assertStringIncludes(one, "ok   a (4 ranks on GPUs 0,1, nodes 2, sequential, linear, none, ");
  assertStringIncludes(one, "y 1.0e-7  x 2.0e-7  bits 00");
  const all = lineOf(summaryOf([result(), result({ pass: false, digest: undefined })]));
  assertStringIncludes(all, "FAIL a (4 ranks, nodes 2, 1 of 2 with 1 schedulers and 1 all-to-alls");
  assert(!lineOf(result({ digest: undefined })).includes("bits"));
});

Deno.test("lineOf() names the bound that an error is over, and why a case could not be run", () => {
  const over = lineOf(result({ pass: false, norm: "rms", compressor: "int8", over: { y: 1e-8 } }));
  assertStringIncludes(over, "int8 by 2-norm, chunks 2");
  assertStringIncludes(over, "y 1.0e-7 > 1.0e-8  x 2.0e-7");
  const broken = result({ pass: false, errors: {}, error: "Cannot do it: why" });
  assertEquals(lineOf(broken), "FAIL a: Cannot do it: why");
  const summary = summaryOf([result(), broken]);
  assertEquals([summary.error, summary.passed, summary.pass], ["Cannot do it: why", 1, false]);
  assertStringIncludes(lineOf(summary), "Cannot do it: why");
});
