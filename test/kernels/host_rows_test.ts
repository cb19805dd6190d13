/** Rows that functions in JavaScript read and write: of any layout, and of both types. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  createLayer,
  createModel,
  expertWaves,
  openEngine,
  SchemoeError,
  topK,
} from "../../mod.ts";
import { bfloat16Of, floatsOfBfloat16 } from "../../lib/bfloat16.ts";
import type { Expert, ExpertContext } from "../../lib/blocks/mod.ts";
import { ffn } from "../../lib/blocks/mod.ts";
import { matrixOf, readRows, rowsOfGroup, writeRows } from "../../lib/kernels/mod.ts";
import { largestError } from "../../lib/studies/golden.ts";
import type { HostContext } from "../../lib/types.ts";

/** a [n, k] @ b [k, m], or with one of them transposed. */
function product(
  [a, b]: readonly [Float32Array, Float32Array],
  [n, k, m]: readonly [number, number, number],
  transposed?: "a" | "b",
): Float32Array {
  const y = new Float32Array(n * m);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) {
        sum += (transposed === "a" ? a[p * n + i] : a[i * k + p]) *
          (transposed === "b" ? b[j * k + p] : b[p * m + j]);
      }
      y[i * m + j] = sum;
    }
  }
  return y;
}

/** `ffn({ bias: false })`, in JavaScript alone. */
function ownFfn(): Expert {
  const each = (c: ExpertContext, run: (at: HostContext, e: number) => void) => [
    c.host((at) => {
      for (let e = 0; e < c.experts; e++) if (rowsOfGroup(c.x, e) > 0) run(at, e);
    }),
  ];
  const sizes = (c: ExpertContext, e: number) =>
    [rowsOfGroup(c.x, e), c.shape.modelDim, c.shape.hiddenDim] as const;
  return {
    ...ffn({ bias: false }),
    counted: false,
    name: "ffn of one's own",
    forward: (c) =>
      each(c, (at, e) => {
        const [n, m, h] = sizes(c, e);
        const read = (of: typeof c.x) => readRows(at, of, e);
        const hidden = product([read(c.x), read(c.parameter("w1"))], [n, m, h]);
        writeRows(at, c.saved("h"), e, hidden.map((v) => Math.max(0, v)));
        writeRows(at, c.y, e, product([read(c.saved("h")), read(c.parameter("w2"))], [n, h, m]));
      }),
    inputGrad: (c) =>
      each(c, (at, e) => {
        const [n, m, h] = sizes(c, e);
        const read = (of: typeof c.x) => readRows(at, of, e);
        const kept = read(c.saved("h"));
        const d = product([read(c.dy), read(c.parameter("w2"))], [n, m, h], "b");
        writeRows(at, c.saved("d1"), e, d.map((v, i) => kept[i] > 0 ? v : 0));
        const slopes = read(c.saved("d1"));
        writeRows(at, c.dx, e, product([slopes, read(c.parameter("w1"))], [n, h, m], "b"));
      }),
    weightGrad: (c) => [
      c.host((at) => {
        for (let e = 0; e < c.experts; e++) {
          const [n, m, h] = sizes(c, e);
          const read = (of: typeof c.x) => readRows(at, of, e);
          const add = (name: string, value: Float32Array) => {
            const before = read(c.gradient(name));
            writeRows(
              at,
              c.gradient(name),
              e,
              c.first ? value : value.map((v, i) => v + before[i]),
            );
          };
          add("w2", product([read(c.saved("h")), read(c.dy)], [h, n, m], "a"));
          add("w1", product([read(c.x), read(c.saved("d1"))], [m, n, h], "a"));
        }
      }),
    ],
  };
}

const SIZES = { tokens: [7, 0, 12, 3], modelDim: 6, hiddenDim: 10, experts: 8 };
const BOUND = { float32: 1e-6, bfloat16: 2e-2 };

for (const dtype of ["float32", "bfloat16"] as const) {
  for (const routing of [{ capacityFactor: 0 }, { dropless: true }]) {
    Deno.test(`an expert in JavaScript gives what ffn gives: ${dtype}, ${Object.keys(routing)}`, async () => {
      using engine = openEngine({ nodes: 2, ranksPerNode: 2, links: "plain" });
      const gate = topK({ k: 2 });
      const found = [];
      for (const expert of [ownFfn(), ffn({ bias: false })]) {
        using layer = createLayer(engine, { ...SIZES, gate, routing, dtype, expert });
        for (const chunks of [1, 3, expertWaves(2)]) {
          const { output } = await layer.forward({ chunks, results: true });
          const { gradients } = await layer.backward({ chunks, results: true });
          found.push({ output: output!, ...gradients! });
        }
      }
      for (let i = 0; i < 3; i++) {
        for (const [name, wanted] of Object.entries(found[3 + i])) {
          const error = largestError(found[i][name as "output"], wanted);
          assert(error < BOUND[dtype], `${name} differs by ${error}`);
        }
      }
    });
  }
}

Deno.test("a model in bfloat16 trains with experts in JavaScript", async () => {
  using engine = openEngine({ nodes: 1, ranksPerNode: 2, links: "plain" });
  const tokens = Int32Array.from({ length: 2 * 2 * 9 }, (_, i) => (i * i) % 16);
  const losses = [];
  for (const expert of [ownFfn(), ffn({ bias: false })]) {
    using model = createModel(engine, {
      ...{ vocabulary: 16, context: 8, batch: 2, modelDim: 8, attention: { heads: 2 } },
      ...{ dtype: "bfloat16", rate: 1e-2 },
      layers: [{ moe: { experts: 4, hiddenDim: 8, expert, routing: { dropless: true } } }],
    });
    const own: number[] = [];
    for (let step = 0; step < 4; step++) own.push((await model.step(tokens)).loss!);
    losses.push(Float32Array.from(own));
  }
  assert(losses[0][3] < losses[0][0]);
  assert(largestError(losses[0], losses[1]) < 1e-2, `${losses[0]}, not ${losses[1]}`);
});

/** A host context over one array of bytes. */
function memory(bytes: Uint8Array<ArrayBuffer>): HostContext {
  return {
    rank: 0,
    read: ({ offset }, length) => bytes.slice(offset, offset + length),
    write: ({ offset }, data) => bytes.set(data, offset),
  };
}

Deno.test("readRows() and writeRows() leave what lies between rows and groups", () => {
  for (const dtype of ["float32", "bfloat16"] as const) {
    const size = dtype === "float32" ? 4 : 2;
    const stored = Float32Array.from({ length: 40 }, (_, i) => i);
    const bytes = new Uint8Array((size === 4 ? stored : bfloat16Of(stored)).buffer);
    const at = memory(bytes);
    const whole = matrixOf({ buffer: "m", offset: 0 }, 8, 5, dtype);
    assertEquals(readRows(at, whole), stored);
    const part = { ...whole, offset: size, rows: 2, columns: 3, groups: 2, stride: 20 };
    assertEquals([...readRows(at, part, 1)], [21, 22, 23, 26, 27, 28]);
    writeRows(at, part, 1, new Float32Array(6).fill(-1));
    assertEquals(
      [...readRows(at, whole).subarray(20, 30)],
      [20, -1, -1, -1, 24, 25, -1, -1, -1, 29],
    );
    const ranges = [{ first: 0, rows: 3 }, { first: 3, rows: 0 }, { first: 3, rows: 1 }];
    const ragged = { ...whole, groups: 3, rows: 4, stride: NaN, ranges };
    assertEquals(ranges.map((_, group) => rowsOfGroup(ragged, group)), [3, 0, 1]);
    assertEquals(readRows(at, ragged, 1), new Float32Array(0));
    assertEquals([...readRows(at, ragged, 2)], [15, 16, 17, 18, 19]);
  }
});

Deno.test("readRows() and writeRows() refuse other sizes, groups that there are not and counted rows", () => {
  const at = memory(new Uint8Array(80));
  const m = matrixOf({ buffer: "m", offset: 0 }, 4, 5);
  const told = (act: () => unknown) => assertThrows(act, SchemoeError).message;
  assertEquals(
    told(() => writeRows(at, m, 0, new Float32Array(19))).split(", got")[0],
    'Cannot write rows of the matrix "m": values must be a Float32Array of 20, 4 rows of 5',
  );
  assertEquals(
    told(() => readRows(at, m, 1)),
    'Cannot tell the rows of the matrix "m": it has 1 groups, not 2',
  );
  const counted = { experts: 1, rows: 4, ranks: 1, rank: 0, room: 4 };
  assert(told(() => readRows(at, { ...m, counted })).endsWith("counted as the Program runs"));
});

Deno.test("bfloat16Of() rounds to nearest even, and floatsOfBfloat16() widens", () => {
  const values = [1, 1 + 2 ** -9, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -0, Infinity, NaN, 3.4e38];
  const back = floatsOfBfloat16(bfloat16Of(Float32Array.from(values)));
  assertEquals([...back], [1, 1, 1, 1 + 2 ** -6, -0, Infinity, NaN, Infinity]);
});
