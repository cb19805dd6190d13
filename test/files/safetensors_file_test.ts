import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  encodeSafetensors,
  openSafetensors,
  parseSafetensors,
  type Tensor,
  type TensorSource,
  writeSafetensors,
} from "../../lib/files/mod.ts";
import { SchemoeError } from "../../lib/types.ts";

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const tensors: Record<string, Tensor> = {
  a: { dtype: "F32", shape: [3, 4], data: Float32Array.from({ length: 12 }, (_, i) => i - 5.5) },
  b: { dtype: "F8_E4M3", shape: [5], data: new Float32Array([1, -2, 0.5, 448, 0]) },
  c: { dtype: "C64", shape: [2], data: new Float32Array([1, 2, 3, 4]) },
  d: { dtype: "F4", shape: [6], data: new Uint8Array([1, 2, 3]) },
  e: { dtype: "I64", shape: [2], data: new BigInt64Array([-1n, 2n ** 40n]) },
  none: { dtype: "BF16", shape: [0, 7], data: new Float32Array(0) },
};

Deno.test("openSafetensors() reads what writeSafetensors() wrote, whole and in pieces", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.safetensors`;
    await writeSafetensors(tensors, path, { step: "7" });
    assertEquals(await Deno.readFile(path), encodeSafetensors(tensors, { step: "7" }));
    using file = await openSafetensors(new URL(`file://${path}`));
    assertEquals([{ ...file.metadata }, file.skipped.size], [{ step: "7" }, 0]);
    assertEquals(file.bytes, (await Deno.stat(path)).size);
    assertEquals([...file.tensors.keys()].toSorted(), Object.keys(tensors));
    const all = await Promise.all(Object.keys(tensors).map((name) => file.read(name)));
    assertEquals(all, Object.values(tensors).map(({ data }) => data));
    assertEquals(await file.read("a", { begin: 3, end: 6 }), Float32Array.of(-2.5, -1.5, -0.5));
    assertEquals(await file.read("a", { begin: 12 }), new Float32Array(0));
    assertEquals(await file.read("c", { begin: 1 }), Float32Array.of(3, 4));
    assertEquals(await file.read("d", { begin: 2, end: 4 }), Uint8Array.of(2));
    assertEquals(await file.read("e", { end: 1 }), BigInt64Array.of(-1n));
    assertEquals(await file.readBytes("e", { end: 1 }), new Uint8Array(8).fill(255));
  });
});

Deno.test("openSafetensors() says which file, tensor and range cannot be read", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.safetensors`;
    await writeSafetensors(tensors, path);
    const file = await openSafetensors(path);
    const wrong: [() => Promise<unknown>, string][] = [
      [() => file.read("x"), 'it has no tensor "x"; it has 6: "a", "b"'],
      [() => file.read("a", { end: 13 }), 'values 0 to 13 of tensor "a" are not a range of its 12'],
      [() => file.read("a", { begin: -1 }), 'values -1 to 12 of tensor "a"'],
      [() => file.read("a", { begin: 5, end: 4 }), "values 5 to 4"],
      [() => file.read("a", { begin: 0.5 }), "values 0.5 to 12"],
      [() => file.read("d", { begin: 1 }), "not a range of its 6, in whole bytes"],
    ];
    for (const [call, message] of wrong) {
      const error = await assertRejects(call, SchemoeError);
      assertStringIncludes(error.message, `Cannot read ${path}: `);
      assertStringIncludes(error.message, message);
    }
    await Deno.truncate(path, file.bytes - 60);
    await assertRejects(() => file.read("e"), SchemoeError, "it was shortened while it is open");
    file.close();
    file.close();
    await assertRejects(() => file.read("a"), SchemoeError, "the file is closed");
    await assertRejects(() => openSafetensors(path), SchemoeError, "beyond the file's");
    await assertRejects(() => openSafetensors(folder), SchemoeError, `Cannot read ${folder}: `);
    await assertRejects(() => openSafetensors(`${folder}/no`), SchemoeError, "Cannot read");
  });
});

Deno.test("openSafetensors() reads a piece of a large tensor without the rest of the file", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/large.safetensors`;
    // A hole of 8 GiB takes no room on the disk.
    const length = 2 ** 31;
    const header = JSON.stringify({
      w: { dtype: "F32", shape: [length], data_offsets: [0, 4 * length] },
    }).padEnd(120);
    using disk = await Deno.open(path, { write: true, createNew: true });
    const start = new Uint8Array(8);
    new DataView(start.buffer).setBigUint64(0, 120n, true);
    await disk.write(start);
    await disk.write(new TextEncoder().encode(header));
    await disk.truncate(128 + 4 * length);
    await disk.seek(128 + 4 * (length - 2), Deno.SeekMode.Start);
    await disk.write(new Uint8Array(Float32Array.of(1.5, -2.5).buffer));
    const before = Deno.memoryUsage().rss;
    using file = await openSafetensors(path);
    assertEquals(
      await file.read("w", { begin: length - 3, end: length }),
      Float32Array.of(0, 1.5, -2.5),
    );
    assert(Deno.memoryUsage().rss - before < 100e6, "more than a piece was read");
  });
});

Deno.test("writeSafetensors() tells the path from the tensors, in either order", async () => {
  const path = await Deno.makeTempFile();
  const w = { dtype: "F32" as const, shape: [1], data: new Float32Array([3]) };
  await writeSafetensors(path, { w }, { step: "1" });
  using file = await openSafetensors(path);
  assertEquals([file.metadata.step, ...await file.read("w") as Float32Array], ["1", 3]);
  const twice = () => writeSafetensors(path, path as never);
  await assertRejects(twice, SchemoeError, "give the tensors first, then the path");
  await Deno.remove(path);
});

Deno.test("writeSafetensors() asks for values piece by piece", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.safetensors`;
    const asked: number[] = [];
    const values = 3 * 2 ** 22 + 5;
    const w: TensorSource = {
      dtype: "U16",
      shape: [values],
      read: ({ begin, end }) => {
        asked.push(end - begin);
        return Promise.resolve(Uint16Array.from({ length: end - begin }, (_, i) => begin + i));
      },
    };
    await writeSafetensors(new Map([["w", w]]), path);
    assertEquals(asked.reduce((a, b) => a + b), values);
    assert(Math.max(...asked) <= 2 ** 23 && asked.length > 1, `pieces of ${asked}`);
    const { data } = parseSafetensors(await Deno.readFile(path), path).tensors.get("w")!;
    assert((data as Uint16Array).every((value, i) => value === i % 65536));
    using file = await openSafetensors(path);
    const copied = `${folder}/b.safetensors`;
    const source = {
      dtype: "U16",
      shape: [values],
      read: (range) => file.read("w", range),
    } as const satisfies TensorSource;
    await writeSafetensors({ w: source }, copied);
    assertEquals(await Deno.readFile(copied), await Deno.readFile(path));
  });
});

Deno.test("writeSafetensors() that fails leaves the file as it was, and nothing beside it", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.safetensors`;
    await writeSafetensors(tensors, path);
    const before = await Deno.readFile(path);
    const source = (read: TensorSource["read"]) => ({
      a: tensors.a,
      w: { dtype: "F32", shape: [4], read } as TensorSource,
    });
    const wrong: [Parameters<typeof writeSafetensors>[1], string][] = [
      [source(() => new Float32Array(3)), 'tensor "w": its data have 3 values'],
      [source(() => new Float64Array(4)), "a Float64Array, F32 takes a Float32Array"],
      [
        source(() => Promise.reject(new Error("disk on fire"))),
        `Cannot write ${path}: disk on fire`,
      ],
      [{ a: { ...tensors.a, shape: [13] } as Tensor }, "its data have 12 values"],
    ];
    for (const [given, message] of wrong) {
      const error = await assertRejects(() => writeSafetensors(given, path), SchemoeError);
      assertStringIncludes(error.message, message);
      assertEquals(await Deno.readFile(path), before);
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["a.safetensors"]);
    }
    await assertRejects(() => writeSafetensors(tensors, `${folder}/no/a`), SchemoeError, "/no/a: ");
    const odd = { a: 1 } as unknown as Record<string, string>;
    await assertRejects(() => writeSafetensors(tensors, path, odd), SchemoeError, 'metadata "a"');
    await Deno.symlink(path, `${folder}/link`);
    await writeSafetensors({ none: tensors.none }, `${folder}/link`);
    assertEquals([...parseSafetensors(await Deno.readFile(path), path).tensors.keys()], ["none"]);
    assert((await Deno.lstat(`${folder}/link`)).isSymlink);
  });
});
