import { assertEquals, assertThrows } from "@std/assert";
import {
  FAILURE,
  failureMessage,
  FailureRecord,
  NativeError,
  withNames,
} from "../../lib/native/failure.ts";
import { SchemoeError } from "../../lib/types.ts";

const text = "Cannot run kernel fill: 8 bytes are needed, the buffer has 4";

Deno.test("failureMessage() adds the fields that apply, with names where they are known", () => {
  assertEquals(failureMessage({ status: 1, text }), text);
  assertEquals(failureMessage({ status: 1, text, rank: 2 }), `${text}, on rank 2`);
  const all = { status: 1, text, task: 3, rank: 0, buffer: 5 };
  assertEquals(failureMessage(all), `${text}, in task #3 on rank 0, buffer #5`);
  const names = {
    task: (i: number) => `E[${i}]`,
    buffer: (id: number) => id === 5 ? "y" : undefined,
  };
  assertEquals(failureMessage(all, names), `${text}, in task E[3] on rank 0, buffer "y"`);
  assertEquals(
    failureMessage({ ...all, buffer: 6, process: "process 1" }, names),
    `${text}, in task E[3] on rank 0, buffer #6 [process 1]`,
  );
});

Deno.test("failureMessage() says what the first unfinished task of a run was about", () => {
  const parts = { status: 4, text: "Cannot finish the run in 1 s", task: 3, rank: 1 };
  assertEquals(
    failureMessage({ ...parts, unfinished: "(compute lane) is computing" }, { task: () => "E[0]" }),
    "Cannot finish the run in 1 s: task E[0] on rank 1 (compute lane) is computing",
  );
});

Deno.test("FailureRecord.unwrap() throws the fields that the library wrote", () => {
  const record = new FailureRecord();
  record.unwrap(0);
  const view = new DataView(record.bytes.buffer);
  const { members } = FAILURE;
  [[members.status, 1], [members.task, 7], [members.rank, 0xffff_ffff], [members.buffer, 0]]
    .forEach(([offset, value]) => view.setUint32(offset, value, true));
  new TextEncoder().encodeInto("Cannot go on\0", record.bytes.subarray(members.text));
  const error = assertThrows(() => record.unwrap(1), NativeError);
  assertEquals(error.message, "Cannot go on, in task #7, buffer #0");
  assertEquals([error.status, error.rank, error.parts.task], [1, undefined, 7]);
  const named = withNames(error, { task: () => "A", buffer: () => "x" }) as NativeError;
  assertEquals(named.message, 'Cannot go on, in task A, buffer "x"');
  const other = new SchemoeError("another");
  assertEquals(withNames(other, {}), other);
});
