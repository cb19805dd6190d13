import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { encodeSafetensors, parseSafetensors, type Tensor } from "../../lib/files/safetensors.ts";
import { SchemoeError } from "../../lib/types.ts";

/** A file with this header, of this length if it says so, and this many bytes of data. */
function file(header: string | Uint8Array, dataBytes = 0, headerBytes?: number): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes ?? json.length), true);
  bytes.set(json, 8);
  return bytes;
}

/** A header of one tensor `y`, with this in place of what a good one of 4 bytes has. */
const one = (fields: string): string => {
  const good = { dtype: '"F32"', shape: "[1]", data_offsets: "[0,4]" };
  const given = Object.fromEntries(
    fields.split(";").filter(Boolean).map((field) => field.split("=")),
  );
  const all = Object.entries({ ...good, ...given }).filter(([, value]) => value !== "absent");
  return `{"y":{${all.map(([key, value]) => `"${key}":${value}`).join(",")}}}`;
};

const two = (a: string, b: string, dtype = "U8"): string =>
  `{${
    [["a", a], ["b", b]].map(([name, [begin, end]]) => [name, Number(begin), Number(end)] as const)
      .map(([name, begin, end]) =>
        `"${name}":{"dtype":"${dtype}","shape":[${end - begin}],"data_offsets":[${begin},${end}]}`
      ).join(",")
  }}`;

const hostile: Record<string, [bytes: Uint8Array, message: string]> = {
  "an empty file": [new Uint8Array(0), "it has 0 bytes"],
  "a file of 7 bytes": [new Uint8Array(7), "it has 7 bytes"],
  "a header beyond the file": [file("{}", 0, 3), "header ends at byte 11, beyond the file's 10"],
  "a huge header": [file("{}", 0, 100_000_001), "over the limit of 100000000"],
  "a header of 2^64 - 1 bytes": [
    new Uint8Array(16).fill(255),
    "header of 18446744073709551615 bytes is over",
  ],
  "an empty header": [file(""), "does not start with {"],
  "a header that is a list": [file("[]"), "does not start with {"],
  "a header after a byte order mark": [file("\ufeff{}"), "does not start with {"],
  "invalid UTF-8": [file(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d])), "not valid UTF-8"],
  "invalid JSON": [file('{"y":}'), "not valid JSON"],
  "a truncated header": [file(one("").slice(0, -1), 4), "not valid JSON"],
  "a number that is not JSON": [file(one("data_offsets=[0,NaN]"), 4), "not valid JSON"],
  "a key twice": [
    file(`${one("").slice(0, -1)},${one("").slice(1)}`, 4),
    'has the key "y" twice',
  ],
  "a key twice, escaped once": [
    file(`${one("").slice(0, -1)},${one("").slice(1).replace("y", "\\u0079")}`, 4),
    'has the key "y" twice',
  ],
  "a field twice": [file(one('dtype="F32","dtype":"F32"'), 4), 'has the key "dtype" twice'],
  "a tensor that is a list": [file('{"y":[]}'), 'tensor "y" is not described by an object'],
  "a tensor that is null": [file('{"y":null}'), 'tensor "y" is not described by an object'],
  "metadata that are a list": [file('{"__metadata__":[]}'), "__metadata__ is not an object"],
  "metadata that hold a number": [file('{"__metadata__":{"a":1}}'), 'metadata "a" is not a string'],
  "no dtype": [file(one("dtype=absent"), 4), 'tensor "y" has no dtype'],
  "a dtype that is a number": [file(one("dtype=32"), 4), 'tensor "y" has no dtype'],
  "a dtype in small letters": [
    file(one('dtype="f32"'), 4),
    'tensor "y" has the dtype "f32"; known: F32',
  ],
  "a dtype named like a method": [file(one('dtype="toString"'), 4), 'the dtype "toString"'],
  "no shape": [file(one("shape=absent"), 4), 'tensor "y" has a shape that is not a list'],
  "a shape that is a number": [file(one("shape=1"), 4), 'tensor "y" has a shape that'],
  "a negative shape": [file(one("shape=[-1]"), 4), 'tensor "y" has a shape that'],
  "a broken shape": [file(one("shape=[0.5]"), 4), 'tensor "y" has a shape that'],
  "a shape of strings": [file(one('shape=["1"]'), 4), 'tensor "y" has a shape that'],
  "a shape beyond integers": [file(one("shape=[1e16]"), 4), 'tensor "y" has a shape that'],
  "a shape that overflows": [
    file(one("shape=[4294967296,4294967296]"), 4),
    "of F32 needs more than 2^53",
  ],
  "a shape that overflows to infinity": [
    file(one(`shape=[${Array(40).fill(2 ** 52)}]`), 4),
    "of F32 needs more than 2^53",
  ],
  "no offsets": [file(one("data_offsets=absent"), 4), 'tensor "y" has data_offsets that'],
  "one offset": [file(one("data_offsets=[0]"), 4), 'tensor "y" has data_offsets that'],
  "three offsets": [file(one("data_offsets=[0,4,4]"), 4), 'tensor "y" has data_offsets that'],
  "a negative offset": [file(one("data_offsets=[-4,0]"), 4), 'tensor "y" has data_offsets that'],
  "a broken offset": [file(one("data_offsets=[0,3.5]"), 4), 'tensor "y" has data_offsets that'],
  "an infinite offset": [
    file(one("data_offsets=[0,1e999]"), 4),
    'tensor "y" has data_offsets that',
  ],
  "an offset that is a string": [file(one('data_offsets=[0,"4"]'), 4), "has data_offsets that"],
  "offsets the wrong way round": [
    file(one("data_offsets=[4,0]"), 4),
    'tensor "y" begins at byte 66, after its end at 62',
  ],
  "a tensor beyond the file": [
    file(one(""), 3),
    'tensor "y" ends at byte 66, beyond the file\'s 65',
  ],
  "an offset of 2^53 - 1": [
    file(one("data_offsets=[0,9007199254740991]"), 4),
    "beyond the file's 81",
  ],
  "fewer bytes than the shape": [
    file(one("shape=[2]"), 4),
    'tensor "y" has 4 bytes, its shape [2] of F32 needs 8',
  ],
  "more bytes than the shape": [file(one("shape=[0]"), 4), "its shape [0] of F32 needs 0"],
  "no bytes for a scalar": [
    file(one("shape=[];data_offsets=[0,0]")),
    "its shape [] of F32 needs 4",
  ],
  "overlapping tensors": [file(two("04", "26"), 6), 'tensor "b" begins at byte'],
  "the same bytes for two tensors": [file(two("04", "04"), 4), 'tensor "b" begins at byte'],
  "an empty tensor inside another": [file(two("04", "22"), 4), 'tensor "b" begins at byte'],
  "a hole before the first tensor": [file(two("12", "23"), 3), "belong to no tensor"],
  "a hole between tensors": [file(two("02", "34"), 4), "belong to no tensor"],
  "bytes after the last tensor": [file(two("02", "24"), 5), "belong to no tensor"],
  "bytes and no tensor": [file("{}", 1), "bytes 10 to 11 belong to no tensor"],
};

for (const [name, [bytes, message]] of Object.entries(hostile)) {
  Deno.test(`parseSafetensors() refuses ${name}`, () => {
    const error = assertThrows(() => parseSafetensors(bytes, "x.safetensors"), SchemoeError);
    assertStringIncludes(error.message, "Cannot read x.safetensors: ");
    assertStringIncludes(error.message, message);
    assert(error.message.length < 500, "the message is long");
  });
}

Deno.test("parseSafetensors() refuses every truncation of a file", () => {
  const bytes = encodeSafetensors(everyType, { config: "{}" });
  for (let length = 0; length < bytes.length; length += length < 2000 ? 7 : 1) {
    assertThrows(() => parseSafetensors(bytes.subarray(0, length), "x"), SchemoeError);
  }
});

Deno.test("parseSafetensors() of a damaged file throws nothing but SchemoeError", () => {
  const good = encodeSafetensors(everyType, { config: "{}" });
  let state = 1;
  const random = (below: number) => (state = (state * 48271) % 2147483647) % below;
  for (let i = 0; i < 5000; i++) {
    const bytes = good.slice();
    for (let n = 0; n <= random(3); n++) bytes[random(2100)] = random(256);
    try {
      parseSafetensors(bytes, "x");
    } catch (error) {
      assert(error instanceof SchemoeError, `${error}`);
    }
  }
});

Deno.test("parseSafetensors() keeps a message short when a name is long", () => {
  const bytes = file(`{"${"y".repeat(1e6)}":null}`);
  const error = assertThrows(() => parseSafetensors(bytes, "x"), SchemoeError);
  assert(error.message.length < 200);
});

const everyType: Record<string, Tensor> = {
  f32: { dtype: "F32", shape: [2, 2], data: new Float32Array([1, -0, Infinity, NaN]) },
  f16: { dtype: "F16", shape: [3], data: new Float32Array([1.5, -65504, 2 ** -24]) },
  bf16: { dtype: "BF16", shape: [1, 4], data: new Float32Array([1.5, -3, -Infinity, NaN]) },
  u8: { dtype: "U8", shape: [3], data: new Uint8Array([0, 1, 255]) },
  f64: { dtype: "F64", shape: [], data: new Float64Array([Math.PI]) },
  i32: { dtype: "I32", shape: [2], data: new Int32Array([-1, 2 ** 31 - 1]) },
  i64: { dtype: "I64", shape: [1], data: new BigInt64Array([-(2n ** 63n)]) },
  empty: { dtype: "F32", shape: [0, 5], data: new Float32Array(0) },
  bool: { dtype: "BOOL", shape: [3], data: new Uint8Array([0, 1, 2]) },
  i8: { dtype: "I8", shape: [2], data: new Int8Array([-128, 127]) },
  i16: { dtype: "I16", shape: [2], data: new Int16Array([-32768, 32767]) },
  u16: { dtype: "U16", shape: [2], data: new Uint16Array([0, 65535]) },
  u32: { dtype: "U32", shape: [1], data: new Uint32Array([2 ** 32 - 1]) },
  u64: { dtype: "U64", shape: [1], data: new BigUint64Array([2n ** 64n - 1n]) },
  c64: { dtype: "C64", shape: [2], data: new Float32Array([1, -1, 0.5, Infinity]) },
  e4m3: { dtype: "F8_E4M3", shape: [5], data: new Float32Array([448, -448, 2 ** -9, -0, NaN]) },
  e5m2: {
    dtype: "F8_E5M2",
    shape: [5],
    data: new Float32Array([57344, -(2 ** -16), Infinity, -0, NaN]),
  },
  e4m3fnuz: { dtype: "F8_E4M3FNUZ", shape: [4], data: new Float32Array([240, -240, 0, NaN]) },
  e5m2fnuz: { dtype: "F8_E5M2FNUZ", shape: [3], data: new Float32Array([57344, -0.5, NaN]) },
  e8m0: { dtype: "F8_E8M0", shape: [4], data: new Float32Array([1, 2 ** -127, 2 ** 127, NaN]) },
  f4: { dtype: "F4", shape: [2, 3], data: new Uint8Array([0x10, 0x32, 0xff]) },
  f6: { dtype: "F6_E2M3", shape: [4], data: new Uint8Array([1, 2, 3]) },
  f6_e3m2: { dtype: "F6_E3M2", shape: [0], data: new Uint8Array(0) },
};

Deno.test("encodeSafetensors() and parseSafetensors() are inverse for every type", () => {
  const bytes = encodeSafetensors(everyType, { config: "α", __proto__x: "b" });
  const { tensors, metadata } = parseSafetensors(bytes, "x");
  assertEquals(Object.fromEntries(tensors), everyType);
  assertEquals({ ...metadata }, { config: "α", __proto__x: "b" });
});

Deno.test("encodeSafetensors() rounds to the nearest BF16, ties to even", () => {
  const data = new Float32Array([1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, 3.4e38]);
  const bytes = encodeSafetensors({ y: { dtype: "BF16", shape: [4], data } });
  assertEquals(
    parseSafetensors(bytes, "x").tensors.get("y")!.data,
    new Float32Array([1, 1 + 2 ** -6, 1 + 2 ** -7, Infinity]),
  );
});

Deno.test("parseSafetensors() reads data that are not aligned, as copies", () => {
  const header = one("").padEnd(57);
  const bytes = file(header, 4);
  bytes.set(new Uint8Array(new Float32Array([2.5]).buffer), 8 + header.length);
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  const { data } = parseSafetensors(shifted.subarray(3), "x").tensors.get("y")!;
  shifted.fill(0);
  assertEquals(data, new Float32Array([2.5]));
  assertEquals(data.buffer.byteLength, 4);
});

Deno.test("parseSafetensors() takes __proto__ for a name like any other", () => {
  const info = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}';
  const text = `{"__metadata__":{"__proto__":"m"},"__proto__":${info}}`;
  const { tensors, metadata } = parseSafetensors(file(text, 1), "x");
  assertEquals([...tensors.keys()], ["__proto__"]);
  assertEquals(Object.entries(metadata), [["__proto__", "m"]]);
  assertEquals(({} as Record<string, unknown>).dtype, undefined);
  assertEquals(metadata.constructor, undefined);
});

Deno.test("parseSafetensors() takes a file without tensors, and braces in names", () => {
  assertEquals(parseSafetensors(file("{}  "), "x").tensors.size, 0);
  const info = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}';
  const { tensors } = parseSafetensors(file(`{"{\\"a\\":":${info},"\\\\":${info}}`), "x");
  assertEquals([...tensors.keys()], ['{"a":', "\\"]);
});

Deno.test("parseSafetensors() gives tensors in the order of the data", () => {
  assertEquals([...parseSafetensors(file(two("24", "02"), 4), "x").tensors.keys()], ["b", "a"]);
});

Deno.test("parseSafetensors() names tensors of types that it does not know, and reads the others", () => {
  const info = (dtype: string, begin: number, end: number) =>
    `{"dtype":"${dtype}","shape":[2],"data_offsets":[${begin},${end}]}`;
  const bytes = file(`{"w":${info("I1024", 0, 256)},"b":${info("U8", 256, 258)}}`, 258);
  const { tensors, skipped } = parseSafetensors(bytes, "x");
  assertEquals([...tensors.keys()], ["b"]);
  assertEquals([...skipped], [["w", { dtype: "I1024", shape: [2], bytes: 256 }]]);
});

const unwritable: Record<string, [name: string, tensor: unknown, message: string]> = {
  "data shorter than the shape": [
    "y",
    { dtype: "F32", shape: [2], data: new Float32Array(1) },
    'tensor "y": its data have 1 values, not those of its shape [2]',
  ],
  "data of another class": [
    "y",
    { dtype: "F64", shape: [1], data: new Float32Array(1) },
    "F64 takes a Float64Array",
  ],
  "an unknown dtype": ["y", { dtype: "F5", shape: [1], data: new Float32Array(1) }, '"F5"'],
  "half a byte": ["y", { dtype: "F4", shape: [3], data: new Uint8Array(2) }, "takes 1.5 bytes"],
  "no data": ["y", { dtype: "F32", shape: [1] }, "its data are a undefined"],
  "a negative shape": ["y", { dtype: "U8", shape: [-1, -1], data: new Uint8Array(1) }, "[-1,-1]"],
  "a complex number without its imaginary part": [
    "y",
    { dtype: "C64", shape: [1], data: new Float32Array(1) },
    "its data have 1 values",
  ],
  "the name of the metadata": [
    "__metadata__",
    { dtype: "U8", shape: [1], data: new Uint8Array(1) },
    "keeps this name",
  ],
};

for (const [name, [tensorName, tensor, message]] of Object.entries(unwritable)) {
  Deno.test(`encodeSafetensors() refuses ${name}`, () => {
    const error = assertThrows(
      () => encodeSafetensors({ [tensorName]: tensor as Tensor }),
      SchemoeError,
    );
    assertStringIncludes(error.message, message);
  });
}

const golden = `${import.meta.dirname}/../golden`;
const goldenFiles = Deno.readDirSync(golden).map(({ name }) => name)
  .filter((name) => name.endsWith(".safetensors")).toArray().toSorted();

for (const name of goldenFiles) {
  Deno.test(`parseSafetensors() reads ${name}, and it is written back the same`, async () => {
    const read = parseSafetensors(await Deno.readFile(`${golden}/${name}`), name);
    const config = JSON.parse(read.metadata.config);
    assertEquals(read.tensors.get("x")!.shape, [config.ranks, config.tokens, config.modelDim]);
    assertEquals(parseSafetensors(encodeSafetensors(read.tensors, read.metadata), name), read);
  });
}

Deno.test("all golden cases are there", () => assertEquals(goldenFiles.length, 7));
