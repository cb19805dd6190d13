import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createLayer, openEngine, openSafetensors, SchemoeError } from "../../mod.ts";

const path = await Deno.makeTempFile({ suffix: ".safetensors" });
globalThis.addEventListener("unload", () => Deno.removeSync(path));

/** A file of one tensor [2, 4] whose bytes are all `byte`. */
async function written(name: string, dtype: string, size: number, byte = 0): Promise<void> {
  const tensor = { dtype, shape: [2, 4], data_offsets: [0, 8 * size] };
  const json = new TextEncoder().encode(JSON.stringify({ [name]: tensor }));
  const bytes = new Uint8Array(8 + json.length + 8 * size).fill(byte);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  await Deno.writeFile(path, bytes);
}

const open = () => openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
const sizes = { tokens: 4, modelDim: 4, hiddenDim: 4, experts: 2 };

Deno.test("load() takes tensors of every type that holds numbers", async (t) => {
  using engine = open();
  using layer = createLayer(engine, sizes);
  // what a value of these bytes is
  const values: [string, number, number, number][] = [
    ["F64", 8, 0, 0],
    ["F32", 4, 0, 0],
    ["F16", 2, 0x3c, 1.05859375],
    ["BF16", 2, 0x40, 3],
    ["I64", 8, 0xff, -1],
    ["U64", 8, 0xff, 2 ** 64],
    ["I32", 4, 0xff, -1],
    ["U32", 4, 0xff, 2 ** 32],
    ["I16", 2, 0xff, -1],
    ["U16", 2, 0xff, 65535],
    ["I8", 1, 0xff, -1],
    ["U8", 1, 0xff, 255],
    ["BOOL", 1, 1, 1],
    ["F8_E4M3", 1, 0x38, 1],
    ["F8_E5M2", 1, 0x3c, 1],
    ["F8_E8M0", 1, 0x80, 2],
  ];
  for (const [dtype, size, byte, value] of values) {
    await t.step(dtype, async () => {
      await written("gate.weight", dtype, size, byte);
      using file = await openSafetensors(path);
      assertEquals(await layer.load(file), ["gate.weight"]);
      assertEquals(await layer.get("gate.weight"), new Float32Array(8).fill(value));
    });
  }
});

Deno.test("load() says which tensor it cannot take, and what is no file", async () => {
  using engine = open();
  using layer = createLayer(engine, sizes);
  const before = await layer.get("gate.weight");
  const fails = async (name: string, dtype: string, size: number, options = {}) => {
    await written(name, dtype, size);
    using file = await openSafetensors(path);
    return (await assertRejects(() => layer.load(file, options), SchemoeError)).message;
  };
  const unknown = 'its tensor "gate.weight" is of the type I4, which is not known';
  assertStringIncludes(await fails("gate.weight", "I4", 0.5), unknown);
  const names = { "router": "gate.weight" };
  assertStringIncludes(await fails("router", "I4", 0.5, { names }), 'its tensor "router" is of');
  assertStringIncludes(await fails("gate.weight", "C64", 8), "is C64, which holds no real");
  assertStringIncludes(await fails("gate.weights", "F32", 4), 'did you mean "gate.weight"?');
  assertStringIncludes(
    await fails("routers", "F32", 4, { names }),
    'it has no tensor "router"; did you mean "routers"?',
  );
  assertEquals(await layer.get("gate.weight"), before);
  const text = await assertRejects(() => layer.load(path as never), SchemoeError);
  assertStringIncludes(text.message, "it is no open file; give await openSafetensors(path)");
});
