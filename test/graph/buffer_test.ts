import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { SchemoeError, topology } from "../../mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";

const world = topology({ nodes: 1, ranksPerNode: 2 });

Deno.test("GraphBuilder.buffer() gives a buffer the largest size that was asked for, in any order", () => {
  for (const sizes of [[64, 16], [16, 64], [16, 64, 32], [64, 64]]) {
    const g = new GraphBuilder(world, "forward", 1);
    for (const [i, bytes] of sizes.entries()) {
      g.buffer("room", i % 2 ? bytes : () => bytes, "pass");
    }
    assertEquals(g.build({}).buffers.room, 64);
  }
});

Deno.test("GraphBuilder.buffer() refuses a second life", () => {
  const g = new GraphBuilder(world, "forward", 1);
  g.buffer("room", 4, "pass");
  const { message } = assertThrows(() => g.buffer("room", 4, "saved"), SchemoeError);
  assertMatch(message, /"room": its life is pass and cannot be saved too/);
});
