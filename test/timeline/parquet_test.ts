import { assertEquals, assertRejects } from "@std/assert";
import { fromParquet, toParquet } from "../../lib/timeline/table/parquet.ts";
import { SchemoeError } from "../../lib/types.ts";
import { forwardTimeline, timelineOf } from "./fixture.ts";

const timelines = {
  "a forward pass": forwardTimeline({ nodes: 2, ranksPerNode: 2, chunks: 3 }),
  "odd names and times": timelineOf([
    { name: `"E, 1"\n<x>`, start: 0.1 + 0.2, end: 1e15 / 3, flops: 2 ** 60, chunk: null },
    { start: 1, end: 2, deps: "a;b", label: "true", rank: 70_000 },
  ]),
  "no rows": timelineOf([]),
  "many rows": timelineOf(Array.from({ length: 3000 }, (_, i) => ({ start: i, end: i + 0.5 }))),
};

for (const [what, timeline] of Object.entries(timelines)) {
  Deno.test(`toParquet() reads back equal: ${what}`, async () => {
    const back = await fromParquet(await toParquet(timeline));
    assertEquals(back.columnNames(), timeline.columnNames());
    assertEquals(back.objects({ limit: Infinity }), timeline.objects({ limit: Infinity }));
  });
}

Deno.test("toParquet() writes columns of fixed types between the marks of a Parquet file", async () => {
  const bytes = await toParquet(timelines["a forward pass"]);
  const text = (from: number) => new TextDecoder().decode(bytes.subarray(from).subarray(0, 4));
  assertEquals([text(0), text(bytes.length - 4)], ["PAR1", "PAR1"]);
  const { parquetMetadata, parquetSchema } = await import("hyparquet");
  const { children } = parquetSchema(parquetMetadata(bytes.buffer));
  const types = Object.fromEntries(children.map(({ element }) => [element.name, element.type]));
  assertEquals([types.run, types.rank, types.chunk], ["BYTE_ARRAY", "INT32", "INT32"]);
  assertEquals([types.start_ns, types.bytes], ["DOUBLE", "DOUBLE"]);
});

Deno.test("toParquet() throws naming the column that is missing or holds what it cannot", async () => {
  const timeline = timelines["a forward pass"];
  await assertRejects(
    () => toParquet(timeline.rename({ deps: "after" })),
    SchemoeError,
    'no column "deps"',
  );
  const odd = timelineOf([{ start: 0, end: 1, rank: 0.5 }]);
  await assertRejects(
    () => toParquet(odd),
    SchemoeError,
    '"rank" holds 0.5 in row 0, not an integer',
  );
});

Deno.test("fromParquet() throws when it is no timeline, or cut off", async () => {
  const bytes = await toParquet(timelines["a forward pass"]);
  const { parquetWriteBuffer } = await import("hyparquet-writer");
  const other = parquetWriteBuffer({ columnData: [{ name: "a", data: [1] }] });
  await assertRejects(() => fromParquet(new Uint8Array(other)), SchemoeError, 'no column "run"');
  for (const broken of [Uint8Array.of(1, 2, 3), bytes.subarray(0, 900), bytes.subarray(500)]) {
    await assertRejects(() => fromParquet(broken), SchemoeError, "not a Parquet file");
  }
});
