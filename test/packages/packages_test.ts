import { assert, assertEquals, assertThrows } from "@std/assert";
import { deflate, gunzip, gzip, inflate, unzlib, zlib } from "denoflate";
import { SchemoeError } from "../../lib/types.ts";

const bytes = new TextEncoder().encode("tokens ".repeat(500));

Deno.test("the packages of a cell resolve by name", async () => {
  const members = {
    "@std/assert": ["assertEquals", "assertThrows", "assertRejects"],
    "@observablehq/plot": ["plot", "rect", "line"],
    "arquero": ["table", "fromCSV", "op"],
    "denoflate": ["deflate", "inflate", "gzip", "gunzip", "zlib", "unzlib"],
    "onnxruntime-node": ["InferenceSession", "Tensor", "default"],
  };
  for (const [name, wanted] of Object.entries(members)) {
    const found = await import(name);
    for (const member of wanted) assert(found[member] !== undefined, `${name} has no ${member}`);
  }
});

Deno.test("denoflate: what each form packs, its other half unpacks", () => {
  for (const [pack, unpack] of [[deflate, inflate], [gzip, gunzip], [zlib, unzlib]] as const) {
    for (const level of [undefined, 0, 1, 9]) {
      const packed = pack(bytes, level);
      assertEquals(packed.constructor, Uint8Array);
      assertEquals(unpack(packed), bytes);
      if (level !== 0) assert(packed.length < bytes.length / 10);
    }
  }
  assertEquals([...gzip(bytes).subarray(0, 2)], [0x1f, 0x8b]);
});

Deno.test("denoflate: the platform's streams read it", async () => {
  const read = async (packed: Uint8Array, format: CompressionFormat) =>
    new Uint8Array(
      await new Response(
        new Blob([new Uint8Array(packed)]).stream().pipeThrough(new DecompressionStream(format)),
      ).arrayBuffer(),
    );
  assertEquals(await read(gzip(bytes), "gzip"), bytes);
  assertEquals(await read(zlib(bytes), "deflate"), bytes);
  assertEquals(await read(deflate(bytes), "deflate-raw"), bytes);
});

Deno.test("denoflate: other bytes, and levels that do not exist, are refused", () => {
  assertThrows(() => gunzip(bytes), SchemoeError, "they are not gzipped");
  assertThrows(() => unzlib(bytes), SchemoeError, "they are not compressed by zlib");
  assertThrows(() => inflate(bytes), SchemoeError, "they are not deflated");
  assertThrows(() => deflate(bytes, 12), SchemoeError, "level is 12");
});
