import { assertEquals } from "@std/assert";
import { intersect, length, merge, subtract } from "../../lib/timeline/table/intervals.ts";

Deno.test("merge() joins what overlaps or touches, and drops what is empty", () => {
  assertEquals(merge([5, 7, 0, 2, 1, 3, 3, 4, 9, 9]), [0, 4, 5, 7]);
  assertEquals(merge([]), []);
  assertEquals(merge([0, 10, 2, 3]), [0, 10]);
});

Deno.test("length() sums", () => assertEquals(length([0, 4, 5, 7]), 6));

Deno.test("intersect() gives what both have", () => {
  assertEquals(intersect([0, 4, 5, 7], [3, 6]), [3, 4, 5, 6]);
  assertEquals(intersect([0, 4], [4, 6]), []);
});

Deno.test("subtract() gives what only the first has", () => {
  assertEquals(subtract([0, 4, 5, 7], [3, 6]), [0, 3, 6, 7]);
  assertEquals(subtract([0, 4], []), [0, 4]);
  assertEquals(subtract([], [0, 4]), []);
});
