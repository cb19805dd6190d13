import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { onnx, type OnnxExpert } from "../../lib/blocks/experts/onnx.ts";
import { externalTensors } from "../../lib/blocks/experts/onnx_proto.ts";
import { SchemoeError } from "../../lib/types.ts";
import { externalModel, onnxModel } from "./onnx_fixture.ts";

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  const before = Deno.cwd();
  try {
    await body(folder);
  } finally {
    Deno.chdir(before);
    await Deno.remove(folder, { recursive: true });
  }
}

/** Weights that are one value times the identity. */
const identity = (scale: number) =>
  new Uint8Array(Float32Array.from({ length: 16 }, (_, i) => i % 5 === 0 ? scale : 0).buffer);

const beside = { location: "w.data", offset: "0", length: "64" };

async function write(path: string, says: Record<string, string>, scale?: number): Promise<string> {
  const folder = path.slice(0, path.lastIndexOf("/"));
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(path, externalModel({ says }));
  if (scale !== undefined) await Deno.writeFile(`${folder}/${says.location}`, identity(scale));
  return path;
}

/** What each of two experts makes of a row of ones. */
async function results(expert: OnnxExpert): Promise<number[]> {
  const bytes = new Uint8Array(new Float32Array(8).fill(1).buffer);
  const matrix = { buffer: "a", offset: 0, rows: 1, columns: 4, ld: 4, groups: 2, stride: 4 };
  const shape = { modelDim: 4, hiddenDim: 8, experts: 2 };
  await new Promise<void>((resolve, reject) => {
    const context = {
      shape,
      firstExpert: 0,
      experts: 2,
      x: matrix,
      y: matrix,
      host: (run: (at: unknown) => unknown) => {
        Promise.resolve(run({
          rank: 0,
          read: ({ offset }: { offset: number }, count: number) =>
            bytes.slice(offset, offset + count),
          write: ({ offset }: { offset: number }, data: Uint8Array) => bytes.set(data, offset),
        })).then(() => resolve(), reject);
        return { name: "host", args: [0] };
      },
    };
    expert.forward(context as unknown as Parameters<OnnxExpert["forward"]>[0]);
  });
  const values = new Float32Array(bytes.buffer);
  return [values[0], values[4]];
}

Deno.test("onnx() reads external data beside each model, in any working directory", async () => {
  await withFolder(async (folder) => {
    const paths = [
      await write(`${folder}/e0/expert.onnx`, beside, 2),
      await write(`${folder}/e1/expert.onnx`, beside, 3),
    ];
    for (const at of ["", "/e0", "/e1"]) {
      Deno.chdir(`${folder}${at}`);
      for (const given of [paths, paths.map((path) => new URL(`file://${path}`))]) {
        await using expert = await onnx(given);
        assertEquals(await results(expert), [2, 3]);
      }
    }
    Deno.chdir(`${folder}/e0`);
    await using relative = await onnx(["expert.onnx", "../e1/expert.onnx"]);
    assertEquals(await results(relative), [2, 3]);
    assertEquals(
      relative.flops({} as never).forward,
      (externalModel({ says: beside }).length + 64) / 2,
    );
  });
});

Deno.test("onnx() reads external data in folders below the model's, at offsets, and by links within", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/weights`);
    const both = new Uint8Array(128);
    both.set(identity(5));
    both.set(identity(7), 64);
    await Deno.writeFile(`${folder}/weights/all.bin`, both);
    await Deno.symlink("weights/all.bin", `${folder}/link.bin`);
    const at = (location: string, offset: string) => ({ location, offset, length: "64" });
    await using expert = await onnx([
      await write(`${folder}/a.onnx`, at("weights/all.bin", "64")),
      await write(`${folder}/b.onnx`, at("link.bin", "0")),
    ]);
    assertEquals(await results(expert), [7, 5]);
  });
});

Deno.test("onnx() never reads external data outside of the model's folder", async () => {
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/secret.data`, identity(9));
    await Deno.mkdir(`${folder}/model-other`);
    await Deno.writeFile(`${folder}/model-other/w.data`, identity(9));
    await Deno.mkdir(`${folder}/model`);
    await Deno.symlink("../secret.data", `${folder}/model/link.data`);
    await Deno.symlink("../model-other", `${folder}/model/other`);
    await Deno.writeFile(`${folder}/model/short.data`, identity(1).subarray(0, 32));
    await Deno.mkdir(`${folder}/model/folder.data`);
    const says = (location: string, more = {}) => ({ ...beside, location, ...more });
    const wrong: [Record<string, string>, string][] = [
      [says("../secret.data"), "not a file in the model's folder"],
      [says("x/../../secret.data"), "not a file in the model's folder"],
      [says("..\\secret.data"), "not a file in the model's folder"],
      [says(`${folder}/secret.data`), "not a file in the model's folder"],
      [says("/etc/passwd"), "not a file in the model's folder"],
      [says("link.data"), `a link that leads out of the model's folder, to ${folder}/secret.data`],
      [says("other/w.data"), "a link that leads out of the model's folder"],
      [says("*/_ORT_MEM_ADDR_/*", { offset: "0" }), "which cannot be read"],
      [says(""), "not a file in the model's folder"],
      [says("a\0b"), "not a file in the model's folder"],
      [{ offset: "0" }, "not a file in the model's folder"],
      [says("missing.data"), "which cannot be read"],
      [says("folder.data"), "which is not a file"],
      [says("short.data"), "at bytes 0 to 64, the file has 32"],
      [says("short.data", { length: "-1" }), 'with length "-1", not a number of bytes'],
      [says("short.data", { offset: "9".repeat(30) }), "not a number of bytes"],
      [says("short.data", { offset: "many" }), 'with offset "many"'],
    ];
    for (const nested of [false, true]) {
      for (const [given, message] of wrong) {
        const path = `${folder}/model/expert.onnx`;
        await Deno.writeFile(path, externalModel({ says: given, nested }));
        const error = await assertRejects(() => onnx([path]), SchemoeError);
        assertStringIncludes(
          error.message,
          `Cannot use ${path} as an expert: tensor "w" has its data`,
        );
        assertStringIncludes(error.message, message);
      }
    }
  });
});

Deno.test("onnx() refuses numbers that a reader of 32 bits takes for external data", async () => {
  await withFolder(async (folder) => {
    Deno.chdir(folder);
    await Deno.writeFile("w.data", identity(9));
    for (const hidden of [{ place: 2 ** 32 + 1 }, { place: 2 }, { tag: 2 ** 32 }]) {
      const error = await assertRejects(
        () => onnx([externalModel({ says: beside, ...hidden })]),
        SchemoeError,
      );
      assertStringIncludes(error.message, "it is not an ONNX model: no ");
    }
  });
});

Deno.test("onnx() of bytes with external data asks for the path", async () => {
  const error = await assertRejects(() => onnx([externalModel({ says: beside })]), SchemoeError);
  assertStringIncludes(
    error.message,
    'Cannot use model 0 as an expert: tensor "w" has its data in a file',
  );
  assertStringIncludes(error.message, "give the model's path");
});

Deno.test("externalTensors() of damaged models throws nothing but RangeError", () => {
  assertEquals(externalTensors(onnxModel({})), []);
  const good = externalModel({ says: beside });
  const [tensor] = externalTensors(good);
  assertEquals([tensor.name, Object.fromEntries(tensor.says)], ["w", beside]);
  let state = 5;
  const random = (below: number) => (state = (state * 48271) % 2147483647) % below;
  for (let i = 0; i < 3000; i++) {
    const bytes = good.slice();
    for (let n = 0; n <= random(3); n++) bytes[random(bytes.length)] = random(256);
    try {
      externalTensors(i % 3 === 0 ? bytes.subarray(0, random(bytes.length)) : bytes);
    } catch (error) {
      assert(error instanceof RangeError, `${error}`);
    }
  }
});
