import { assert, assertEquals, assertThrows } from "@std/assert";
import { progress, terminalSink } from "../../lib/timeline/measures/progress.ts";
import { SchemoeError } from "../../lib/types.ts";

/** A line whose clock is moved by hand, and what it wrote. */
function watched(total: number) {
  const lines: [string, boolean][] = [];
  const clock = { time: 0 };
  const sink = { write: (line: string, final: boolean) => void lines.push([line, final]) };
  return { lines, clock, line: progress(total, "runs", { sink, now: () => clock.time }) };
}

Deno.test("progress() shows nothing of what takes less than a second", async () => {
  const { lines, clock, line } = watched(10);
  for (let i = 0; i < 10; i++) {
    clock.time += 90;
    line.advance();
  }
  await line.done();
  assertEquals(lines, []);
});

Deno.test("progress() writes no more than five lines a second, and keeps the last state", async () => {
  const { lines, clock, line } = watched(3000);
  for (let i = 0; i < 3000; i++) {
    clock.time += 1;
    line.advance(1, `number ${i}`);
  }
  await line.done("best 7");
  assert(lines.length <= 12, `${lines.length} lines`);
  assertEquals(lines[0], ["runs 1000/3000 · 1.00 s, 2.00 s left · number 999", false]);
  assertEquals(lines.at(-1), ["runs 3000/3000 · 3.00 s · best 7", true]);
});

Deno.test("progress() is silent after its end, and ends once", async () => {
  const { lines, clock, line } = watched(2);
  clock.time = 1500;
  line.advance();
  await line.done();
  line.advance();
  await line.done();
  assertEquals(lines.map(([, final]) => final), [false, true]);
});

Deno.test("terminalSink() writes over its line and ends it once", () => {
  const written: string[] = [];
  const sink = terminalSink((bytes) => written.push(new TextDecoder().decode(bytes)));
  sink.write("a".repeat(100), false);
  sink.write("b", true);
  assertEquals(written, [`\r${"a".repeat(79)}\x1b[K`, "\rb\x1b[K\n"]);
});

Deno.test("progress() throws for a total that is none", () => {
  assertThrows(() => progress(0, "x"), SchemoeError, "total is 0");
});
