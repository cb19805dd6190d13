import { assertEquals } from "@std/assert";
import { layerOf } from "../../lib/tasks/bench/nccl_layer.ts";

Deno.test("layerOf() is small where links are slow: ranks on one GPU, or nodes connected by sockets", () => {
  const tokens = (devices: number[], emulateNodes: boolean) =>
    layerOf({ devices, emulateNodes }).sizes.tokens;
  assertEquals(tokens([0, 1, 2, 3], false), 8192);
  assertEquals(tokens([0, 0, 1, 1], false), 1024);
  assertEquals(tokens([0, 1, 2, 3], true), 1024);
});
