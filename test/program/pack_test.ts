import { assertEquals, assertThrows } from "@std/assert";
import { type Kernel, SchemoeError, topology } from "../../mod.ts";
import { buildProgram, pack } from "../../lib/program/mod.ts";
import { checkNumbers } from "../../lib/kernels/mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";

const world = topology({ nodes: 1, ranksPerNode: 2 });
const view = (offset: number) => ({ buffer: "b", offset });

const CHECKED = { ...view(0), rows: 1, columns: 2, ld: 2, groups: 1, stride: 0 };

function packed(kernel: Kernel, isolated = false, named = false, checked = false) {
  const g = new GraphBuilder(world, "forward", 0);
  const first = g.add({
    kind: "opaque",
    label: "first",
    chunk: -1,
    stage: 0,
    after: [],
    kernels: () => [kernel, checkNumbers(CHECKED)],
  });
  g.add({
    kind: "allToAll",
    label: "A",
    chunk: -1,
    stage: 1,
    after: [first],
    lane: "intra",
    transfers: (rank) => [
      { kind: "send", peer: 1 - rank, bytes: 8, from: view(0) },
      { kind: "receive", peer: 1 - rank, bytes: 8, to: view(8) },
    ],
  });
  const graph = g.build({});
  const { bytes } = pack(buildProgram(graph, graph.tasks, "test"), {
    place: () => ({ id: 7 }),
    isolated,
    named,
    checked,
    seconds: (task) => task.transfers ? 0.5 : undefined,
  });
  return new DataView(bytes.buffer);
}

Deno.test("pack() writes header, operations, waits and words", () => {
  const data = packed({ name: "fill", args: [2, view(16), 1.5] });
  const u32 = (at: number) => data.getUint32(at, true);
  assertEquals([u32(8), u32(12), u32(16), u32(20)], [2, 4, 2, 2 * 5 + 2 * 2 * 5]);
  const operation = (at: number) => Array.from({ length: 8 }, (_, i) => u32(32 + 40 * at + 4 * i));
  assertEquals(operation(0), [0, 0, 0, 0, 0, 0, 5, 0]);
  assertEquals(operation(3), [1, 1, 1, 1, 1, 20, 10, 1]);
  assertEquals(data.getFloat64(32 + 32, true), -1);
  assertEquals(data.getFloat64(32 + 40 * 3 + 32, true), 0.5);
  const waits = 32 + 4 * 40;
  assertEquals([u32(waits), u32(waits + 4)], [0, 1]);
  const word = (i: number) => data.getBigUint64(waits + 8 + 8 * i, true);
  assertEquals([word(0), word(1), word(2), word(3)], [20n | 4n << 32n, 2n, 7n, 16n]);
  assertEquals(data.getFloat64(waits + 8 + 8 * 4, true), 1.5);
  assertEquals([word(10), word(11), word(12)], [33n | 4n << 32n, 1n, 8n]);
});

Deno.test("pack() writes further integers after the arguments, and negative ones in two's complement", () => {
  const args = [0, 2, 1, 3, view(0), 3, 3, view(16), 1, -(2 ** 40) - 1];
  const words = (kernel: Kernel) => {
    const data = packed(kernel);
    return Array.from(
      { length: data.getUint32(32 + 24, true) },
      (_, i) => data.getBigInt64(32 + 4 * 40 + 8 + 8 * i, true),
    );
  };
  const all = words({ name: "column_sum", args, more: Int32Array.of(0, 3, 5, -2) });
  assertEquals(all.slice(-5), [-(2n ** 40n) - 1n, 0n, 3n, 5n, -2n]);
  // on the second rank they are copied from the first
  const whole = (kernel: Kernel) => new Uint8Array(packed(kernel).buffer);
  assertEquals(
    whole({ name: "column_sum", args, more: Int32Array.of(0, 3, 5, -2) }),
    whole({ name: "column_sum", args: [...args, 0, 3, 5, -2] }),
  );
});

Deno.test("pack() chains compute operations rank after rank when isolated", () => {
  const data = packed({ name: "fill", args: [2, view(16), 1.5] }, true);
  const waits = (at: number) => {
    const [first, count] = [
      data.getUint32(32 + 40 * at + 12, true),
      data.getUint32(32 + 40 * at + 16, true),
    ];
    return Array.from(
      { length: count },
      (_, i) => data.getUint32(32 + 160 + 4 * (first + i), true),
    );
  };
  assertEquals([waits(0), waits(1), waits(2), waits(3)], [[], [0], [1], [1]]);
});

Deno.test("pack() adds the names of the Program and its tasks where they are asked for", () => {
  const kernel: Kernel = { name: "fill", args: [2, view(16), 1.5] };
  const [without, data] = [packed(kernel), packed(kernel, false, true)];
  assertEquals([without.getUint32(24, true), data.getUint32(24, true)], [0, 24]);
  assertEquals(data.byteLength, without.byteLength + 24);
  const text = new TextDecoder().decode(data.buffer.slice(without.byteLength));
  assertEquals(text, "forward test\0first\0A\0\0\0\0");
});

Deno.test("pack() rejects what the kernel table does not have", () => {
  const cases: [Kernel, string][] = [
    [{ name: "toString", args: [] }, 'kernel "toString": unknown name'],
    [{ name: "fill", args: [1, view(0)] }, "takes 3 arguments, got 2"],
    [{ name: "fill", args: [view(0), view(0), 1] }, "a view where a number belongs"],
    [{ name: "fill", args: [1.5, view(0), 1] }, "1.5 where an integer belongs"],
    [{ name: "fill", args: [1, 2, 1] }, "2 where a view belongs"],
    [{ name: "fill", args: [1, view(0.5), 1] }, 'offset 0.5 of the buffer "b" is not an integer'],
    [{ name: "fill", args: [1, view(0), 1], more: Int32Array.of(7) }, "takes 3 arguments, got 4"],
  ];
  for (const [kernel, message] of cases) assertThrows(() => packed(kernel), SchemoeError, message);
});

Deno.test("pack() writes checks of numbers, and their flag, only where they are asked for", () => {
  const fill = { name: "fill", args: [2, view(16), 1.5] };
  const [data, plain] = [packed(fill, false, false, true), packed(fill)];
  // as many words more as a check has, on both ranks
  assertEquals(data.getUint32(20, true) - plain.getUint32(20, true), 2 * 9);
  const flags = (at: number, of: DataView) => of.getUint32(32 + 40 * at + 28, true);
  assertEquals([0, 1, 2, 3].map((at) => flags(at, data)), [2, 2, 1, 1]);
  assertEquals([0, 1, 2, 3].map((at) => flags(at, plain)), [0, 0, 1, 1]);
});
