import { assert, assertEquals, assertRejects } from "@std/assert";
import { SchemoeError } from "../../mod.ts";
import * as compressors from "../../lib/compressors/mod.ts";
import { throughCodec } from "./through.ts";

const codecs = Object.values(compressors).flatMap((codec) =>
  typeof codec === "object" && codec.native ? [codec] : []
);

Deno.test("wireBytes() of every codec is what its kernel needs, to the byte", async () => {
  for (const codec of codecs) {
    for (const [rows, columns] of [[1, 1], [3, 5], [4, 64], [7, 129], [2, 300]]) {
      const values = new Float32Array(rows * columns).fill(1);
      assertEquals((await throughCodec(codec, values, columns)).length, values.length);
      const short = { ...codec, wireBytes: () => codec.wireBytes({ rows, columns }) - 1 };
      const error = await assertRejects(() => throughCodec(short, values, columns), SchemoeError);
      assert(/bytes/.test(error.message), error.message);
    }
  }
});

Deno.test("a native codec has the name that users give its compressor, since errors name it", () => {
  for (
    const [name, { native }] of Object.entries(compressors) as [
      string,
      { native?: { codec: string } },
    ][]
  ) {
    if (native) assertEquals(native.codec, name);
  }
});
