import { assertEquals, assertThrows } from "@std/assert";
import { TIMELINE_COLUMNS } from "../../lib/timeline/table/columns.ts";
import { makespan } from "../../lib/timeline/measures/makespan.ts";
import { concatTimelines, makeTimeline } from "../../lib/timeline/table/timeline.ts";
import { SchemoeError } from "../../lib/types.ts";
import { eventsOf, forwardProgram, forwardTimeline, timelineOf } from "./fixture.ts";

const shape = { nodes: 2, ranksPerNode: 2, chunks: 2 };

Deno.test("makeTimeline() has one row for each rank and position, sorted by them", () => {
  const program = forwardProgram(shape);
  const timeline = makeTimeline(program, eventsOf(program), { name: "a" });
  assertEquals(timeline.columnNames(), [...TIMELINE_COLUMNS]);
  assertEquals(timeline.numRows(), 4 * program.order.length);
  assertEquals(
    timeline.array("name"),
    [0, 1, 2, 3].flatMap(() => program.order.map(({ name }) => name)),
  );
  assertEquals([...new Set(timeline.array("run") as string[])], ["a"]);
  assertEquals([...new Set(timeline.array("rank") as number[])], [0, 1, 2, 3]);
  assertEquals([...new Set(timeline.array("node") as number[])], [0, 1]);
});

Deno.test("makeTimeline() sorts what an engine recorded in any order", () => {
  const program = forwardProgram({ nodes: 1, ranksPerNode: 2, chunks: 1 });
  const events = eventsOf(program);
  const sorted = makeTimeline(program, events, { name: "a" }).objects();
  const { length } = events.position;
  for (let at = 0; at + 1 < length; at++) {
    const swapped = (i: number) => i === at ? at + 1 : i === at + 1 ? at : i;
    const moved = { ...events };
    for (const [key, values] of Object.entries(events) as [keyof typeof events, number[]][]) {
      moved[key] = values.map((_, i) => values[swapped(i)]) as never;
    }
    assertEquals(makeTimeline(program, moved, { name: "a" }).objects(), sorted, `${at}`);
  }
});

Deno.test("makeTimeline() says what each task was", () => {
  const timeline = forwardTimeline(shape);
  const find = (name: string) =>
    timeline.objects().find((row) => (row as { name: string }).name === name) as Record<
      string,
      unknown
    >;
  const gate = find("gate");
  assertEquals([gate.chunk, gate.deps, gate.start_ns, gate.end_ns], [null, null, 0, 4e5]);
  assertEquals(find("combine").chunk, null);
  assertEquals(find("combine").deps, "D2[0];D2[1]");
  const expert = find("E[1]");
  assertEquals([expert.chunk, expert.deps, expert.flops, expert.bytes], [1, "D1[1]", 8e9, 4e6]);
  const a1 = find("A1[0] inter");
  assertEquals([a1.lane, a1.kind, a1.label], ["inter", "allToAll", "A1"]);
});

Deno.test("makeTimeline() calls it packing where there is no codec", () => {
  const program = forwardProgram(shape);
  const kinds = (compressor: string) => {
    const graph = { ...program.graph, configuration: { compressor } };
    const timeline = makeTimeline({ ...program, graph }, eventsOf(program), { name: "a" });
    const labels = timeline.array("label") as string[];
    const found = timeline.array("kind") as string[];
    return ["C1", "D1", "C2", "D2"].map((label) => found[labels.indexOf(label)]).join(" ");
  };
  assertEquals(kinds("none"), "pack unpack pack unpack");
  assertEquals(kinds("fp16"), "compress decompress compress decompress");
  assertEquals(kinds("fp16/none"), "compress decompress pack unpack");
});

Deno.test("makeTimeline() counts bytes that the rank sends, without copies to itself", () => {
  const timeline = forwardTimeline({ ...shape, bytes: 1000 });
  const kinds = timeline.array("kind") as string[];
  const bytes = timeline.array("bytes") as number[];
  assertEquals(new Set(bytes.filter((_, i) => kinds[i] === "allToAll")), new Set([1000]));
});

Deno.test("makeTimeline() adds the offset to all times but the waiting", () => {
  const program = forwardProgram(shape);
  const events = eventsOf(program);
  const at = (offset: number) => makeTimeline(program, events, { name: "a", offset });
  for (const name of ["ready_ns", "start_ns", "end_ns"]) {
    const [a, b] = [at(0), at(500)].map((t) => [...t.array(name) as Iterable<number>]);
    assertEquals(b, a.map((time) => time + 500));
  }
  assertEquals(at(0).array("wait_ns"), at(500).array("wait_ns"));
});

Deno.test("makeTimeline() throws when the events are of another program", () => {
  const program = forwardProgram(shape);
  const other = eventsOf(forwardProgram({ ...shape, chunks: 3 }));
  assertThrows(
    () => makeTimeline(program, other, { name: "a" }),
    SchemoeError,
    "Cannot make the timeline: event",
  );
  assertThrows(
    () => makeTimeline(program, { ...eventsOf(program), wait: new Float64Array(1) }, { name: "a" }),
    SchemoeError,
    'but 1 in "wait"',
  );
});

Deno.test("concatTimelines() keeps all rows in order and the types of numbers", () => {
  const a = timelineOf([{ start: 0, end: 10, chunk: null }]);
  const b = timelineOf([{ start: 10, end: 30, deps: "x;y" }, { start: 30, end: 35 }]);
  const joined = concatTimelines(a, b);
  assertEquals(joined.objects(), [...a.objects(), ...b.objects()]);
  assertEquals(joined.column("start_ns") instanceof Float64Array, true);
  assertEquals(makespan(joined), 35);
});

Deno.test("concatTimelines() throws naming the column that is missing", () => {
  const a = timelineOf([{ start: 0, end: 10 }]);
  assertThrows(
    () => concatTimelines(a, a.select("run", "rank")),
    SchemoeError,
    'no column "pass"',
  );
});

Deno.test("makeTimeline() calls a task ready when its last dependency on the rank ended, not when the engine says", () => {
  const program = forwardProgram(shape);
  const events = eventsOf(program);
  // What an engine knows of its own lanes only: earlier than the dependencies on other lanes.
  const early = { ...events, ready: events.ready.map(() => 0) };
  const rows = makeTimeline(program, early, { name: "a" }).objects() as {
    rank: number;
    name: string;
    deps: string | null;
    ready_ns: number;
    end_ns: number;
  }[];
  const ends = new Map(rows.map((row) => [`${row.rank} ${row.name}`, row.end_ns]));
  for (const { rank, deps, ready_ns } of rows) {
    const last = Math.max(
      0,
      ...(deps ?? "").split(";").filter(Boolean).map((name) => ends.get(`${rank} ${name}`)!),
    );
    assertEquals(ready_ns, last);
  }
  // What it says is kept where it is later: the task waited for something of another rank.
  const late = { ...events, ready: events.start };
  const kept = makeTimeline(program, late, { name: "a" });
  assertEquals([...kept.array("ready_ns") as Iterable<number>], [
    ...kept.array("start_ns") as Iterable<number>,
  ]);
});
