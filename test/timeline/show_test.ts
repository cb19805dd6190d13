import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { table } from "arquero";
import { show } from "../../lib/timeline/chart/show.ts";
import { SchemoeError } from "../../lib/types.ts";

const bundle = (value: object) =>
  (value as Record<symbol, () => Promise<Record<string, string>>>)[Symbol.for("Jupyter.display")]();

const small = table({ name: ["<a>", "bb"], wait_ns: [1500, 2e6], x: [1 / 3, 12], mixed: [1, "b"] });

Deno.test("show() aligns numbers right in text, and writes times with their unit", () => {
  assertEquals(
    `${show(small)}`,
    "name     wait       x  mixed\n<a>   1.50 us  0.3333  1\nbb    2.00 ms      12  b",
  );
});

Deno.test("show() makes HTML with escaped text, right-aligned numbers and the title", async () => {
  const html = (await bundle(show(small, { title: "a < b" })))["text/html"];
  assertStringIncludes(html, "<div>a &lt; b</div>");
  assertMatch(html, /<td style="text-align:left[^>]*>&lt;a&gt;<\/td>/);
  assertMatch(html, /<td style="text-align:right[^>]*>1.50 us<\/td>/);
  assertEquals(html.match(/<tr>/g)?.length, 3);
});

Deno.test("show() cuts a long table and says so, respecting its filter and order", async () => {
  const long = table({ i: Array.from({ length: 300 }, (_, i) => i) })
    .filter((row: { i: number }) => row.i % 2 === 1);
  const text = `${show(long, { limit: 3 })}`;
  assertEquals(text, "i\n1\n3\n5\n3 of 150 rows shown");
  assertStringIncludes((await bundle(show(long)))["text/html"], "50 of 150 rows shown");
});

Deno.test("show() shows a table without rows, and values that are missing", () => {
  assertEquals(`${show(table({ a: [] }))}`, "a\nno rows");
  assertEquals(`${show(table({ a: [null, 1, NaN] }))}`, "  a\n\n  1\nNaN");
});

Deno.test("show() of a run shows its timeline", () => {
  assertEquals(`${show({ timeline: small })}`, `${show(small)}`);
});

Deno.test("show() throws for what is no table, and a limit that is none", () => {
  assertThrows(() => show([] as never), SchemoeError, "neither an Arquero table nor a run");
  assertThrows(() => show(small, { limit: 0 }), SchemoeError, "limit is 0");
});

Deno.test("show() writes rates with their units", () => {
  const rates = table({ flops_per_second: [7.002e10, 0], bytes_per_second: [3.569e10, 5e8] });
  assertEquals(`${show(rates)}`.split("\n").map((line) => line.trim().split(/ {2,}/)), [
    ["speed", "rate"],
    ["70.02 GFLOP/s", "35.69 GB/s"],
    ["0 FLOP/s", "500.00 MB/s"],
  ]);
});

Deno.test("show() writes operations, fractions and ratios with their units, also of empty columns", () => {
  const measures = table({
    flops: [134_217_728, 0],
    hidden: [0.6238, null],
    speed_up: [2.319, 1],
    spread_ns: [null, null],
  });
  assertEquals(`${show(measures)}`.split("\n").map((line) => line.trim().split(/ {2,}/)), [
    ["flops", "hidden", "speed up", "spread"],
    ["134.22 MFLOP", "62 %", "2.32x"],
    ["0 FLOP", "1.00x"],
  ]);
});
