import { assertEquals } from "@std/assert";
import { print, type Row } from "../../lib/tasks/bench/report.ts";

Deno.test("print() shows the columns of all rows, also of those that the first lacks", () => {
  const lines: string[] = [];
  const log = console.log;
  console.log = (line: string) => lines.push(...line.trim().split("\n"));
  try {
    const rows: Row[] = [{ kernel: "copy", rate: 2.5 }, { kernel: "fills", microseconds: 12 }];
    print("kernels", { configuration: { repetitions: 3 }, rows }, { json: false, machine: {} });
  } finally {
    console.log = log;
  }
  assertEquals(lines.slice(1).map((line) => line.trimEnd()), [
    "kernel  rate  microseconds",
    "copy     2.5",
    "fills                   12",
  ]);
});
