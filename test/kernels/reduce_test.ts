import { assertEquals, assertThrows } from "@std/assert";
import { SchemoeError } from "../../mod.ts";
import { addSlices } from "../../lib/kernels/mod.ts";

const at = (buffer: string, offset = 0) => ({ buffer, offset });

Deno.test("addSlices() writes all sums into one table, in units, and names buffers by number", () => {
  const kernel = addSlices({
    dtype: "bfloat16",
    unit: 8,
    inputs: [at("a"), at("b", 64)],
    out: at("c"),
    sums: [
      { count: 16, to: 8, from: [[0, 24], [1, 0], [0, 0]] },
      { count: 8, to: 0, from: [[1, 40]] },
    ],
  });
  assertEquals(kernel.name, "add_slices");
  // with two inputs the third is the first
  assertEquals(kernel.args, [1, 8, 2, at("a"), at("b", 64), at("a"), at("c")]);
  assertEquals([...kernel.more!], [2, 1, 3, 4 * 3, 1, 0, 1, 0, 1, 4 * 5 + 1]);
});

Deno.test("addSlices() refuses what is too far for a table", () => {
  const sums = [{ count: 1, to: 0, from: [[0, 2 ** 30]] }] as const;
  assertThrows(
    () => addSlices({ unit: 1, inputs: [at("a")], out: at("c"), sums }),
    SchemoeError,
    "Cannot add slices in units of 1 values: unit 1073741824 of a buffer is too far",
  );
});
