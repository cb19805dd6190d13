import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { randomNormal } from "../../lib/layer/mod.ts";
import { SchemoeError } from "../../mod.ts";
import * as compressors from "../../lib/compressors/mod.ts";
import { throughScaled } from "./scaled_reference.ts";
import { throughCodec } from "./through.ts";

const { fp8, fp8e5m2, int4, int8Blocks, mxfp4, mxfp8, stochastic } = compressors;
const CODECS = [fp8, fp8e5m2, mxfp8, mxfp4, int8Blocks, int4];

Deno.test("scaled codecs have the sizes that their documentation says", () => {
  const row = (columns: number) =>
    Object.fromEntries(CODECS.map((codec) => [codec.name, codec.wireBytes({ rows: 1, columns })]));
  assertEquals(row(2048), {
    fp8: 2048 + 64,
    fp8e5m2: 2048 + 64,
    mxfp8: 2048 + 64,
    mxfp4: 1024 + 64,
    int8Blocks: 2048 + 64,
    int4: 1024 + 128,
  });
  assertEquals(row(7), { fp8: 16, fp8e5m2: 16, mxfp8: 16, mxfp4: 16, int8Blocks: 16, int4: 16 });
});

Deno.test("scaled codecs give the reference's values, bit for bit", async () => {
  for (const codec of CODECS) {
    for (
      const [columns, scale] of [[1, 1], [31, 1], [200, 1e-3], [256, 1e30], [300, 1e-8], [
        64,
        1e-40,
      ]]
    ) {
      const values = randomNormal(3 * columns, { seed: columns }).map((v) => v * scale);
      values[0] = 0;
      if (columns > 150) values.fill(0, 128, 192);
      const got = await throughCodec(codec, values, columns);
      for (let r = 0; r < 3; r++) {
        const row = values.slice(r * columns, (r + 1) * columns);
        const expected = throughScaled(codec.name, row);
        const back = got.slice(r * columns, (r + 1) * columns);
        assertEquals(
          back.map((v) => v + 0),
          expected.map((v) => v + 0),
          `${codec.name} ${columns}`,
        );
      }
    }
  }
});

Deno.test("scaled codecs have the error on normal values that their documentation says", async () => {
  const values = randomNormal(64 * 1024, { seed: 3 });
  const errors = {
    fp8: .026,
    fp8e5m2: .053,
    mxfp8: .0295,
    mxfp4: .115,
    int8Blocks: .0065,
    int4: .097,
  };
  for (const codec of CODECS) {
    const got = await throughCodec(codec, values, 1024);
    const sum = (of: (v: number, i: number) => number) =>
      values.reduce((all, v, i) => all + of(v, i) ** 2, 0);
    const error = Math.sqrt(sum((v, i) => got[i] - v) / sum((v) => v));
    assertAlmostEquals(error / errors[codec.name as keyof typeof errors], 1, .08, codec.name);
  }
});

Deno.test("NaN and infinities pass through scaled codecs as each says", async () => {
  for (const codec of CODECS) {
    for (const odd of [NaN, Infinity, -Infinity]) {
      const row = new Float32Array(256).fill(1);
      row[130] = odd;
      const got = await throughCodec(codec, row, 256);
      got.slice(0, 128).forEach((v) => assertAlmostEquals(v, 1, .004, codec.name));
      const inPlace = [fp8, fp8e5m2, mxfp8].includes(codec);
      assertEquals(got[130], codec === fp8e5m2 ? odd : NaN, codec.name);
      assertEquals(Number.isNaN(got[131]), !inPlace, codec.name);
      assertEquals(Number.isNaN(got[255]), codec === int8Blocks, codec.name);
    }
  }
});

Deno.test("scaled codecs keep finite rows of the whole range finite", async () => {
  for (const codec of CODECS) {
    const most = 3.4028234663852886e38;
    const row = Float32Array.from({ length: 128 }, (_, i) => i % 2 ? -most : most * (i / 128));
    const got = await throughCodec(codec, row, 128);
    got.forEach((v, i) =>
      assert(Number.isFinite(v) && Math.abs(v - row[i]) <= most / 3, `${codec.name} ${v} ${row[i]}`)
    );
  }
});

Deno.test("stochastic() rounds to one of two neighbours, right in the mean, other bits for other seeds", async () => {
  for (const codec of CODECS) {
    const values = new Float32Array(512 * 32).map((_, i) => i % 32 ? .3 : 1);
    const means: number[] = [];
    for (const seed of [1, 2]) {
      const got = await throughCodec(stochastic(codec, seed), values, 32);
      const kept = got.filter((_, i) => i % 32);
      assertEquals(new Set(kept).size, 2, codec.name);
      means.push(kept.reduce((a, b) => a + b) / kept.length);
      assertAlmostEquals(means.at(-1)!, .3, .003, codec.name);
    }
    assert(means[0] !== means[1]);
  }
});

Deno.test("stochastic() refuses codecs that cannot and seeds that are none", () => {
  assertThrows(
    () => stochastic(compressors.fp16, 1),
    SchemoeError,
    'the compressor "fp16" has none of',
  );
  assertThrows(() => stochastic(fp8, 0), SchemoeError, "the seed is 0, not an integer from 1");
  assertThrows(() => stochastic(fp8, 1.5), SchemoeError, "the seed is 1.5");
});
