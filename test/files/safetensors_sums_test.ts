import { assertEquals, assertRejects } from "@std/assert";
import { crc32 } from "node:zlib";
import {
  checkSums,
  encodeSafetensors,
  openSafetensors,
  parseSafetensors,
  writeSafetensors,
  writeSummed,
} from "../../lib/files/mod.ts";
import { SchemoeError } from "../../mod.ts";

async function withFile(body: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: ".safetensors" });
  try {
    await body(path);
  } finally {
    await Deno.remove(path);
  }
}

async function check(path: string): Promise<void> {
  using file = await openSafetensors(path);
  await checkSums(file);
}

/** More than a piece of 16 MiB, a few values and none. */
const large = new Float32Array((1 << 22) + 3).map((_, i) => i % 1000);
const tensors = {
  large: { dtype: "F32", shape: [large.length], data: large },
  few: { dtype: "BF16", shape: [2, 2], data: new Float32Array([1, -2, 3, 0.5]) },
  none: { dtype: "I32", shape: [0, 4], data: new Int32Array(0) },
} as const;

Deno.test("writeSummed() writes the CRC-32 of each tensor into the metadata, also of one that comes in pieces", async () => {
  await withFile(async (path) => {
    const { large: { dtype, shape }, ...others } = tensors;
    const read = ({ begin, end }: { begin: number; end: number }) => large.subarray(begin, end);
    await writeSummed({ large: { dtype, shape, read }, ...others }, path, { step: "7" });
    const bytes = Deno.readFileSync(path);
    const { metadata, tensors: found } = parseSafetensors(bytes, path);
    assertEquals(metadata.step, "7");
    const hex = (part: Uint8Array) => crc32(part).toString(16).padStart(8, "0");
    assertEquals(JSON.parse(metadata.crc32), {
      large: hex(new Uint8Array(large.buffer)),
      few: hex(new Uint8Array(new Uint16Array([0x3f80, 0xc000, 0x4040, 0x3f00]).buffer)),
      none: "00000000",
    });
    assertEquals(found.get("large")!.data, large);
    await check(path);
  });
});

Deno.test("checkSums() names file and tensor of any byte that changed", async () => {
  await withFile(async (path) => {
    await writeSummed(tensors, path);
    const bytes = Deno.readFileSync(path);
    const end = bytes.length - 8; // of the large one
    const places = { large: [end - 4 * large.length, end - 1], few: [end, bytes.length - 1] };
    for (const [name, list] of Object.entries(places)) {
      for (const at of list) {
        const changed = bytes.slice();
        changed[at] ^= 1 << at % 8;
        Deno.writeFileSync(path, changed);
        const text =
          `Cannot read ${path}: the check sum of tensor "${name}" is not that of its values: it is damaged`;
        await assertRejects(() => check(path), SchemoeError, text);
      }
    }
  });
});

Deno.test("checkSums() passes files without sums, and refuses sums that are none or lack a tensor", async () => {
  await withFile(async (path) => {
    await writeSafetensors(tensors, path, { step: "1" });
    await check(path);
    const refuses = async (crc32: string, text: string) => {
      Deno.writeFileSync(path, encodeSafetensors(tensors, { crc32 }));
      await assertRejects(() => check(path), SchemoeError, `Cannot read ${path}: ${text}`);
    };
    for (const text of ["", "{", "[]", "3", "null"]) {
      await refuses(text, 'its metadata "crc32" are no check sums of tensors');
    }
    await refuses("{}", 'tensor "large" has no check sum');
    await refuses('{"large":7}', 'the check sum of tensor "large" is not');
  });
});
