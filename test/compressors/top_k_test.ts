import { assertEquals, assertThrows } from "@std/assert";
import { randomNormal } from "../../lib/layer/mod.ts";
import { SchemoeError } from "../../mod.ts";
import { largestShare, topKValues } from "../../lib/compressors/mod.ts";
import { throughLargest } from "./scaled_reference.ts";
import { throughCodec } from "./through.ts";

Deno.test("largestShare() keeps the largest values of each row exactly, lower columns among equals", async () => {
  for (const share of [1 / 16, 1 / 3, 1]) {
    for (const columns of [1, 7, 64, 300]) {
      const values = randomNormal(4 * columns, { seed: columns }).map((v) => Math.round(2 * v) / 2);
      const got = await throughCodec(largestShare(share), values, columns);
      const kept = Math.ceil(columns * Math.round(share * 65536) / 65536);
      for (let r = 0; r < 4; r++) {
        const row = values.slice(r * columns, (r + 1) * columns);
        const expected = throughLargest(kept, row).map((v) => v + 0);
        assertEquals(got.slice(r * columns, (r + 1) * columns).map((v) => v + 0), expected);
      }
    }
  }
});

Deno.test("largestShare() codes a column in two bytes up to 65,536 of them, in four beyond", async () => {
  const codec = largestShare(1 / 1024);
  for (const [columns, bytes] of [[65536, 16 * 24], [65537, 16 * 33]]) {
    assertEquals(codec.wireBytes({ rows: 3, columns }), 3 * bytes);
    const row = new Float32Array(columns);
    row[columns - 1] = 7;
    assertEquals((await throughCodec(codec, row, columns)).at(-1), 7);
  }
});

Deno.test("topKValues keeps NaN and infinities before all numbers", async () => {
  const row = new Float32Array(32).fill(5);
  [row[9], row[20]] = [Infinity, NaN];
  const got = await throughCodec(topKValues, row, 32);
  assertEquals([got[9], got[20]], [Infinity, NaN]);
  assertEquals(got.filter((v) => v === 0).length, 30);
});

Deno.test("largestShare() refuses what is no share", () => {
  for (const share of [0, -1, 1.1, NaN, 1e-9, "0.5" as never]) {
    assertThrows(() => largestShare(share), SchemoeError, "not a number from 1/131072 to 1");
  }
});
