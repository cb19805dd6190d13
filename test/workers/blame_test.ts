import { assertEquals, assertMatch } from "@std/assert";
import { type FailureParts, NativeError } from "../../lib/native/failure.ts";
import { blame, type Outcome } from "../../lib/workers/blame.ts";

const failed = (status: number, text: string, parts: Partial<FailureParts> = {}) => ({
  error: new NativeError({ status, text, ...parts }),
});
const outcomes = (...parts: Partial<Outcome>[]): Outcome[] =>
  parts.map((part, process) => ({
    process,
    span: { first: process, ranks: 1 },
    name: process === 0 ? "" : `process ${process}`,
    ...part,
  }));
const lost = failed(10, "Cannot reach process 1: it closed its connection");

Deno.test("blame() is undefined when all processes have events", () => {
  const events = new BigUint64Array(4);
  assertEquals(blame(outcomes({ events }, { events }), 1), undefined);
});

Deno.test("blame() names a process that is gone, and then one that is silent, before all errors", () => {
  const own = failed(2, "no memory", { task: 0, rank: 0 });
  const gone = blame(outcomes(own, { silent: 3 }, { gone: "it was killed" }), 1)!;
  assertEquals(gone.message, "Cannot finish the run: process 2: it was killed");
  assertEquals([gone.status, gone.rank], [10, 2]);
  assertMatch(
    blame(outcomes(own, { silent: 3 }), 1)!.message,
    /process 1: it has given no sign of life for 3.0 s/,
  );
});

Deno.test("blame() passes on an error of a process's own before what it caused elsewhere", () => {
  const own = failed(1, "It is wrong", { task: 4, rank: 1 });
  const error = blame(outcomes(lost, own, failed(4, "Cannot finish the run in 1 s: ...")), 1)!;
  assertEquals(error.message, "It is wrong, in task #4 on rank 1 [process 1]");
  assertEquals(error.status, 1);
});

Deno.test("blame() names the first unfinished operation of all processes at the time limit", () => {
  const error = blame(
    outcomes(
      failed(4, "Cannot finish the run in 0.9 s", {
        task: 7,
        rank: 0,
        unfinished: "(intra lane) waits for rank 2",
      }),
      failed(10, "Cannot reach process 0: it closed", {
        task: 3,
        rank: 1,
        unfinished: "(compute lane) is computing",
      }),
      failed(3, "Cannot finish the run: it was cancelled", {
        task: 7,
        rank: 2,
        unfinished: "(intra lane) has not begun",
      }),
    ),
    1,
  )!;
  assertEquals(
    error.message,
    "Cannot finish the run in 1 s: task #3 on rank 1 (compute lane) is computing [process 1]",
  );
  assertEquals([error.status, error.rank], [4, 1]);
});

Deno.test("blame() names a lost connection when nothing else is known", () => {
  const error = blame(outcomes(failed(3, "Cannot finish the run: it was cancelled"), lost), 1)!;
  assertMatch(error.message, /^Cannot reach process 1: it closed its connection/);
});
