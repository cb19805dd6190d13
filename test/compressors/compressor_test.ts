import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { createLayer, openEngine, SchemoeError } from "../../mod.ts";
import { bf16, type Compressor, compressor } from "../../lib/compressors/mod.ts";
import { decodeBlocks, encodeBlocks } from "../../lib/graph/coding.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import { dtypes } from "../../lib/files/dtypes.ts";
import { compileByNvcc } from "../../lib/native/sources/compiler.ts";
import { isFile } from "../../lib/native/sources/cache.ts";
import { compileByNvrtc, findNvrtc } from "../../lib/native/sources/nvrtc.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import type { SourceCode } from "../../lib/types.ts";
import { spawnWorkers } from "../../lib/workers/mod.ts";

/** A test of its own folder of compiled code, so that it compiles. */
function test(name: string, run: () => Promise<void> | void): void {
  Deno.test(name, async () => {
    const folder = Deno.makeTempDirSync();
    const before = Deno.env.get("SCHEMOE_CACHE");
    Deno.env.set("SCHEMOE_CACHE", folder);
    try {
      await run();
    } finally {
      if (before === undefined) Deno.env.delete("SCHEMOE_CACHE");
      else Deno.env.set("SCHEMOE_CACHE", before);
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

const BODY = `(const float* rows, int64_t count, int64_t columns, uint8_t* wire) {
  for (int64_t i = FIRST; i < count * columns; i += STEP) {
    uint32_t bits;
    memcpy(&bits, rows + i, 4);
    bits += 0x7fff + (bits >> 16 & 1);
    wire[2 * i] = bits >> 16;
    wire[2 * i + 1] = bits >> 24;
  }
}`;
const BACK = `(const uint8_t* wire, int64_t count, int64_t columns, float* rows) {
  for (int64_t i = FIRST; i < count * columns; i += STEP) {
    uint32_t bits = uint32_t(wire[2 * i] | wire[2 * i + 1] << 8) << 16;
    memcpy(rows + i, &bits, 4);
  }
}`;
/** The built-in codec bf16 for finite values, written anew. */
const mine = compressor({
  name: "my bf16",
  wireBytes: (rows, columns) => 2 * rows * columns,
  cpu: `#define FIRST 0\n#define STEP 1\nvoid encode${BODY}\nvoid decode${BACK}`,
  cuda:
    `#define FIRST blockIdx.x * blockDim.x + threadIdx.x\n#define STEP gridDim.x * blockDim.x\n` +
    `__device__ void encode${BODY}\n__device__ void decode${BACK}`,
});
const sourceOf = (codec: Compressor) =>
  codec.kernels!.call("encode", {
    buffers: [{ buffer: "x", offset: 0, bytes: 4 }, { buffer: "y", offset: 0, bytes: 2 }],
  }).source as SourceCode;

const config = { tokens: 30, modelDim: 12, hiddenDim: 8, experts: 4 };
const shape = 2 * config.tokens * config.modelDim;
const [x, dy] = [1, 2].map((seed) => randomNormal(shape, { seed }));

/** Output and gradients under a codec for each exchange, forward and backward. */
async function passes(
  engine: ReturnType<typeof openEngine>,
  codec: Compressor,
  routing = {},
): Promise<Record<string, Float32Array>> {
  using layer = createLayer(engine, { ...config, routing });
  const choices = { compressor: codec, chunks: 3, scheduler: "optSche" };
  const forward = await layer.forward({ ...choices, x });
  const output = forward.output!.slice();
  const { gradients } = await layer.backward({ ...choices, dy });
  return { output, ...gradients };
}

test("compressor() is the codec that its source is, to the bit, padded and dropless", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  for (const routing of [{}, { capacityFactor: 0 }, { dropless: true }]) {
    assertEquals(await passes(engine, mine, routing), await passes(engine, bf16, routing));
  }
});

test("compressor() tells its functions rank, peer, chunk, leg and pass", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  using layer = createLayer(engine, config);
  const telling = compressor({
    name: "telling",
    wireBytes: (rows, columns) => 4 * rows * columns,
    cpu: `
      void encode(const float*, int64_t n, int64_t c, uint8_t* wire, int64_t rank, int64_t peer, int64_t chunk,
                  int64_t leg, int64_t backward) {
        float value = rank + 2 * peer + 4 * chunk + 16 * leg + 64 * backward;
        for (int64_t i = 0; i < n * c; i++) std::memcpy(wire + 4 * i, &value, 4);
      }
      void decode(const uint8_t* wire, int64_t n, int64_t c, float* rows, int64_t rank, int64_t peer,
                  int64_t chunk, int64_t leg, int64_t backward) {
        float value, right = peer + 2 * rank + 4 * chunk + 16 * leg + 64 * backward;
        std::memcpy(&value, wire, 4);
        for (int64_t i = 0; i < n * c; i++) rows[i] = value == right ? 0 : 1;
      }`,
  });
  const choices = { compressor: { combine: telling }, chunks: 2 };
  const { output } = await layer.forward({ ...choices, x });
  assert(output!.every((value) => value === 0));
  const { gradients } = await layer.backward({ ...choices, dy });
  assert(gradients!["experts.w1"].every((value) => value === 0));
});

test("compressor() computes the same on several processes, to which its source travels", async () => {
  await using workers = await spawnWorkers(1);
  const engine = await workers.openEngine({ nodes: 2, ranksPerNode: 1, links: "plain" });
  using alone = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  assertEquals(await passes(engine, mine), await passes(alone, bf16));
});

/** A leg's rows through the codec: of bfloat16 in two blocks of two experts, which lie apart. */
test("compressor() and codecs in JavaScript take rows of bfloat16 as floats", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
  const [blocks, groups, rows, columns] = [2, 2, 3, 5];
  const count = blocks * groups * rows * columns;
  const values = dtypes.BF16.encode(randomNormal(count, { seed: 3 }) as never) as Uint16Array;
  const whole: Compressor = {
    name: "as it is",
    wireBytes: ({ rows, columns }) => 4 * rows * columns,
    encode: (floats) => new Uint8Array(floats.slice().buffer),
    decode: (bytes) => new Float32Array(bytes.slice().buffer),
  };
  for (const codec of [mine, whole]) {
    const blockBytes = codec.wireBytes({ rows: groups * rows, columns, groups: [rows, rows] });
    const g = new GraphBuilder(engine.topology, "forward", 0);
    const sizes = {
      ...{ x: 2 * count, y: 2 * count, wire: blocks * blockBytes },
      ...{ stage: 2 * count, floats: 4 * count },
    };
    for (const [name, bytes] of Object.entries(sizes)) g.buffer(name, bytes, "state");
    // Rows of the blocks by turns, as they lie at experts.
    const piece = (buffer: string) => ({
      ...{ begin: 0, end: blocks, groups, rowsOfGroup: rows, contiguous: false },
      rows: {
        dtype: "bfloat16" as const,
        view: { buffer, offset: 0 },
        ...{ block: columns, group: blocks * rows * columns, row: blocks * columns },
      },
    });
    const coded = {
      ...{ compressor: codec, pass: "forward" as const, leg: 1 as const, chunk: 0, columns },
      ...{ rank: 0, stage: "stage", floats: "floats", state: () => new Uint8Array() },
    };
    const of = (buffer: string) => [
      { piece: piece(buffer), wire: { buffer: "wire", offset: 0 }, blockBytes },
    ];
    const uses = Object.keys(sizes);
    const common = { kind: "opaque" as const, chunk: -1, stage: 0, uses };
    const encoded = g.add({
      ...{ ...common, label: "encode", after: [] },
      kernels: () => encodeBlocks(coded, of("x")),
    });
    g.add({
      ...{ ...common, label: "decode", after: [encoded] },
      kernels: () => decodeBlocks(coded, of("y")),
    });
    const graph = g.build({});
    const workspace = engine.workspace();
    workspace.ensure(graph.buffers);
    workspace.write("x", 0, values);
    await engine.run(buildProgram(graph, graph.tasks, "test"), workspace);
    const back = new Uint16Array(workspace.read("y", 0, 2 * count).slice().buffer);
    workspace.free();
    assertEquals(back, new Uint16Array(values.slice().buffer), codec.name);
  }
});

const broken = (cpu: string, cuda?: string) =>
  compressor({ name: "broken", wireBytes: (r, c) => r * c, cpu, ...(cuda ? { cuda } : {}) });
const ENCODE = "void encode(const float* x, int64_t n, int64_t c, uint8_t* w)";
const DECODE = "void decode(const uint8_t* w, int64_t n, int64_t c, float* x)";
const ZEROS = `${DECODE} { std::memset(x, 0, 4 * n * c); }`;

test("compressor() says what is wrong with a source, in lines of its own", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, config);
  const cases: [Compressor, RegExp][] = [
    [broken(`${ENCODE} {\n  w[0] = nothing;\n}\n${ZEROS}`), /broken\.cpp:2:\d+: error: .*nothing/],
    [broken(`${ENCODE} {}`), /"broken": it has no function decode; needed: encode with 2 pointers/],
    [broken(`void encode(float* x) {}\n${ZEROS}`), /its functions must be encode with 2 pointers/],
    [
      broken(`${ENCODE} { std::memset(w, 1, n * c + 1); }\n${ZEROS}`),
      /encode of "broken" writes beside its output of \d+ bytes, in task C1\[0\] on rank/,
    ],
    [
      broken(`${ENCODE} { w[-1] = 7; std::memset(w, 1, n * c); }\n${ZEROS}`),
      /encode of "broken" writes beside its output/,
    ],
    [
      broken(`${ENCODE} { std::memset(w, 1, n * c - 1); }\n${ZEROS}`),
      /does not write byte \d+ of its output of \d+ bytes/,
    ],
    [
      broken(
        `#include <atomic>\nstd::atomic<int> calls{0};\n${ENCODE} { std::memset(w, ++calls, n * c); }\n${ZEROS}`,
      ),
      /encode of "broken" gives another byte 0 of \d+ when it is called again/,
    ],
    [
      broken(
        `${ENCODE} { std::memset(w, 1, n * c); }\n${DECODE} { std::memset(x, 0, 4 * n * c + 4); }`,
      ),
      /decode of "broken" writes beside/,
    ],
    [
      broken(`#include <stdexcept>\n${ENCODE} { throw std::runtime_error("no sense"); }\n${ZEROS}`),
      /no sense/,
    ],
    [
      compressor({ name: "gpu", wireBytes: (r, c) => r * c, cuda: "x" }),
      /the source "gpu": the engine is "cpu", and it has only "cuda"/,
    ],
  ];
  for (const [codec, message] of cases) {
    for (let i = 0; i < 2; i++) {
      const run = layer.forward({ x, compressor: codec });
      assertMatch((await assertRejects(() => run, SchemoeError)).message, message);
    }
  }
  // The engine goes on.
  assert((await layer.forward({ x, compressor: mine })).output);
});

test("compressor() says which compiler is missing", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, config);
  const path = Deno.env.get("PATH")!;
  Deno.env.set("PATH", "/nowhere");
  try {
    const unknown = broken(`${ENCODE} { std::memset(w, 3, n * c); }\n${ZEROS}`);
    await assertRejects(
      () => layer.forward({ x, compressor: unknown }),
      SchemoeError,
      'Cannot compile the source "broken": a C++ compiler was not found (g++, clang++); install one',
    );
  } finally {
    Deno.env.set("PATH", path);
  }
});

test("compressor() compiles a source once", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, config);
  const codec = () => broken(`${ENCODE} { std::memset(w, 2, n * c); }\n${ZEROS}`);
  for (const again of [codec(), codec()]) await layer.forward({ x, compressor: again });
  const folder = `${Deno.env.get("SCHEMOE_CACHE")}/schemoe/sources`;
  assertEquals([...Deno.readDirSync(folder)].length, 1);
});

test("compressor() refuses parts that are missing", () => {
  const wireBytes = (rows: number, columns: number) => rows * columns;
  assertThrows(
    () => compressor({ name: "none", wireBytes }),
    SchemoeError,
    'Cannot use the source "none": it has neither "cpu" (C++) nor "cuda" (CUDA)',
  );
  assertThrows(
    () => compressor({ name: "none", cpu: "" } as never),
    SchemoeError,
    'Cannot make the compressor "none": it has no function wireBytes(rows, columns)',
  );
});

Deno.test("parts that no codec has, and heights that are none, are errors that name them", async () => {
  const parts = { name: "mine", wireBytes: (r: number, c: number) => 4 * r * c, cpu: "" };
  const misspelt = { ...parts, heigth: 4 };
  assertThrows(() => compressor(misspelt), SchemoeError, 'did you mean "height"');
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const layer = createLayer(engine, config);
  for (const height of [0, -4, 1.5, NaN]) {
    await assertRejects(
      () => layer.forward({ compressor: compressor({ ...parts, height }), chunks: 2 }),
      SchemoeError,
      `Cannot use the compressor "mine": its height is ${height}, not an integer from 1 on`,
    );
  }
});

Deno.test("what codecs in JavaScript throw, and sizes of state that are none, name the codec", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
  using layer = createLayer(engine, config);
  const plain: Compressor = {
    name: "plain",
    wireBytes: ({ rows, columns }) => 4 * rows * columns,
    encode: (values) => new Uint8Array(values.slice().buffer),
    decode: (bytes) => new Float32Array(bytes.slice().buffer),
  };
  const wrong: readonly (readonly [Partial<Compressor>, string])[] = [
    [
      { encode: () => Promise.reject(new Error("full")) },
      'the compressor "plain": its encode failed: full',
    ],
    [{
      decode: () => {
        throw new Error("empty");
      },
    }, 'the compressor "plain": its decode failed: empty'],
    [{
      encode: (values, _, { state }) => state("a", NaN) && new Uint8Array(values.byteLength),
    }, 'the compressor "plain": its state "forward 1 0 0 0 a" is to have NaN bytes'],
  ];
  for (const [part, text] of wrong) {
    await assertRejects(
      () => layer.forward({ compressor: { ...plain, ...part } }),
      SchemoeError,
      text,
    );
  }
});

test("compressor() runs simulated without being compiled", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 1 });
  using layer = createLayer(engine, config);
  assert((await layer.forward({ compressor: broken("no C++ at all") })).makespan > 0);
});

const nvcc = Deno.env.get("PATH")!.split(":").some((folder) => isFile(`${folder}/nvcc`)) ||
  isFile("/usr/local/cuda/bin/nvcc");

Deno.test({
  name: "compressor() is compiled for GPUs by nvcc where NVRTC is missing, with lines of its own",
  ignore: !nvcc,
  fn: () => {
    const image = compileByNvcc(sourceOf(mine), "sm_90");
    assertEquals([...image.subarray(0, 4)], [0x7f, 0x45, 0x4c, 0x46]);
    const wrong = broken(
      "",
      `__device__ ${ENCODE} {\n  w[0] = nothing;\n}\n__device__ ${DECODE} {}`,
    );
    assertThrows(
      () => compileByNvcc(sourceOf(wrong), "sm_90"),
      SchemoeError,
      'broken.cu(2): error: identifier "nothing" is undefined',
    );
  },
});

Deno.test({
  name: "compressor() is compiled for GPUs by NVRTC, with lines of its own",
  ignore: findNvrtc() === undefined,
  fn: () => {
    const nvrtc = findNvrtc()!;
    const image = compileByNvrtc(nvrtc, sourceOf(mine), "sm_90");
    assertEquals([...image.subarray(0, 4)], [0x7f, 0x45, 0x4c, 0x46]);
    const wrong = broken(
      "",
      `__device__ ${ENCODE} {\n  w[0] = nothing;\n}\n__device__ ${DECODE} {}`,
    );
    assertThrows(
      () => compileByNvrtc(nvrtc, sourceOf(wrong), "sm_90"),
      SchemoeError,
      'broken.cu(2): error: identifier "nothing" is undefined',
    );
  },
});
