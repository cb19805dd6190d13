import { assertEquals, assertThrows } from "@std/assert";
import { verdict } from "../../lib/timeline/measures/verdict.ts";
import { SchemoeError } from "../../lib/types.ts";
import { timelineOf } from "./fixture.ts";

const timeline = timelineOf([
  { start: 0, end: 6.4e6 },
  { start: 0, end: 10e6, kind: "allToAll", lane: "inter" },
  { start: 10e6, end: 12.31e6 },
]);

Deno.test("verdict() tells makespan, hidden communication and distance to the bound", () => {
  assertEquals(
    verdict({ timeline, bound: 0.0114, boundLimit: "busiest lane" }),
    "makespan 12.31 ms · 64 % of communication hidden · 8 % above the bound (11.40 ms, busiest lane)",
  );
});

Deno.test("verdict() leaves out a bound that is not given", () => {
  assertEquals(verdict({ timeline }), "makespan 12.31 ms · 64 % of communication hidden");
});

Deno.test("verdict() says at, and below, the bound", () => {
  const end = (bound: number) => verdict({ timeline, bound }).split(" · ")[2];
  assertEquals(end(0.01231), "at the bound (12.31 ms)");
  assertEquals(
    end(0.02462),
    "50 % below the bound (24.62 ms): tasks took less than when measured alone",
  );
});

Deno.test("verdict() says how sure a bound of measured times is", () => {
  const end = (bound: number, boundMost: number) =>
    verdict({ timeline, bound, boundMost }).split(" · ")[2];
  assertEquals(end(0.01, 0.011), "23 % above the bound (10.00 ms to 11.00 ms)");
  assertEquals(end(0.012, 0.013), "at the bound (12.00 ms to 13.00 ms), as far as that is known");
  assertEquals(end(0.01, 0.01), "23 % above the bound (10.00 ms)");
});

Deno.test("verdict() says so when there is no communication", () => {
  const alone = timelineOf([{ start: 0, end: 5e6 }]);
  assertEquals(verdict({ timeline: alone }), "makespan 5.00 ms · no communication");
});

Deno.test("verdict() throws when the bound is no time", () => {
  for (const bound of [0, -1, NaN, Infinity]) {
    assertThrows(() => verdict({ timeline, bound }), SchemoeError, `it is ${bound} s`);
  }
});
