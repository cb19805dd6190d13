import { assertEquals } from "@std/assert";
import { leftOut } from "../../lib/tasks/placements.ts";

Deno.test("deno task placements leaves out cases whose ranks do not fill the nodes, and says so", () => {
  const golden = { name: "hash, inside", ranks: 2 };
  assertEquals(leftOut(golden, 4), "hash, inside: left out, its 2 ranks do not fill 4 nodes");
  assertEquals(
    leftOut({ ...golden, ranks: 6 }, 4),
    "hash, inside: left out, its 6 ranks do not fill 4 nodes",
  );
  assertEquals([1, 2].map((nodes) => leftOut(golden, nodes)), [undefined, undefined]);
});
