import { assertEquals } from "@std/assert";
import { fillNormal } from "../../lib/kernels/mod.ts";

Deno.test("fillNormal() writes its arguments in the order of the native kernel", () => {
  const out = { buffer: "w", offset: 8 };
  const numbers = { count: 10, first: 3, seed: 2 ** 53 - 1, stream: 7, scale: 0.5, out };
  assertEquals(fillNormal(numbers), {
    name: "random_normal",
    args: [0, 10, 3, 2 ** 53 - 1, 7, out, 0.5],
  });
  assertEquals(fillNormal({ ...numbers, dtype: "bfloat16" }).args[0], 1);
});
