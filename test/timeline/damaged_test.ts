/** Files with changed bytes: refused by an error that names the place, or usable, in time and memory. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { table } from "arquero";
import {
  communication,
  fromArrow,
  fromParquet,
  ganttSvg,
  loadRun,
  makespan,
  saveRun,
  type Timeline,
  TIMELINE_COLUMNS,
  toArrow,
  toParquet,
  verdict,
} from "../../lib/timeline/mod.ts";
import { topology } from "../../lib/topology.ts";
import { SchemoeError } from "../../lib/types.ts";
import { forwardTimeline } from "./fixture.ts";

const timeline = forwardTimeline({ nodes: 2, ranksPerNode: 2, chunks: 3 });
const world = topology({ nodes: 2, ranksPerNode: 2 });

/** Random numbers, the same in each run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => (state = (state * 48271) % 2147483647) % below;
}

/** A copy with one byte, one bit or eight bytes changed. */
function damaged(bytes: Uint8Array, random: (below: number) => number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  const at = random(bytes.length);
  const how = random(3);
  if (how === 0) copy[at] = random(256);
  else if (how === 1) copy[at] ^= 1 << random(8);
  else copy.fill(255, at, at + 8);
  return copy;
}

/** Whether everything that shows a timeline works. */
async function usable(read: Timeline, draw: boolean): Promise<void> {
  assert(Number.isFinite(makespan(read)) && Number.isFinite(communication(read).total));
  assert(!/NaN|undefined/.test(verdict({ timeline: read })));
  if (draw) assert(!/NaN|undefined/.test(await ganttSvg(read)));
}

const formats = {
  Arrow: {
    bytes: toArrow(timeline),
    read: (bytes: Uint8Array) => Promise.resolve().then(() => fromArrow(bytes)),
  },
  Parquet: { bytes: await toParquet(timeline), read: fromParquet },
};

for (const [format, { bytes, read }] of Object.entries(formats)) {
  Deno.test(`from${format}() of damaged bytes throws SchemoeError, or what it gives is usable`, async () => {
    const random = randomFrom(7);
    const before = Deno.memoryUsage().rss;
    let fine = 0;
    for (let i = 0; i < 300; i++) {
      const changed = damaged(bytes, random);
      try {
        await usable(await read(changed), fine % 40 === 0);
        fine++;
      } catch (error) {
        assert(error instanceof SchemoeError, `${i}: ${error}`);
      }
    }
    assert(fine > 25 && fine < 275, `${fine} of 300 were read`);
    assert(Deno.memoryUsage().rss - before < 400e6, "a few kilobytes took hundreds of megabytes");
  });

  Deno.test(`from${format}() refuses every truncation`, async () => {
    for (let length = 0; length < bytes.length - 8; length += 37) {
      await assertRejects(
        () => read(bytes.slice(0, length)),
        SchemoeError,
        "Cannot read the timeline",
      );
    }
  });
}

Deno.test("fromArrow() believes no length that is more than the bytes", () => {
  const bytes = toArrow(timeline);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const errors = new Set<string>();
  // Every word of the stream in turn says much: lengths, offsets, counts and sizes are among them.
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const word = view.getInt32(at, true);
    view.setInt32(at, 0x01000000 + word, true);
    try {
      fromArrow(bytes);
    } catch (error) {
      assert(error instanceof SchemoeError, `${error}`);
      errors.add(error.message.replace(/\d+/g, "N").replace(/"[^"]*"/g, '"X"'));
    }
    view.setInt32(at, word, true);
  }
  const all = [...errors].join("\n");
  for (
    const part of [
      "bytes of metadata, N are left",
      "bytes of data, N are left",
      "is beyond its N bytes",
      "rows, N of them null, in N bytes",
      "has a text that ends at N, after one at N, in N bytes",
      "it is damaged (a list of N)",
    ]
  ) assert(all.includes(part), `${part} not in\n${all}`);
});

/** The timeline with one value changed. */
function changed(name: string, row: number, value: unknown): Timeline {
  const columns = TIMELINE_COLUMNS.map((column) => {
    const values = [...timeline.array(column)];
    if (column === name) values[row] = value;
    return [column, values];
  });
  return table(Object.fromEntries(columns), [...TIMELINE_COLUMNS]);
}

const outside: [column: string, value: unknown, message: string][] = [
  ["kind", null, 'column "kind" holds null in row 3, not text'],
  ["lane", 7, 'column "lane" holds'],
  ["start_ns", NaN, 'column "start_ns" holds NaN in row 3, not a number'],
  ["end_ns", -1, 'column "end_ns" holds -1 in row 3, before its start at'],
  ["end_ns", Infinity, 'column "end_ns" holds Infinity in row 3, not a number'],
  ["rank", 0.5, 'column "rank" holds 0.5 in row 3, not an integer'],
  ["rank", -1, 'column "rank" holds -1 in row 3, not an integer'],
  ["chunk", -2, 'column "chunk" holds -2 in row 3, not an integer of at least 0'],
  ["wait_ns", -5, 'column "wait_ns" holds -5 in row 3, a number below 0'],
  ["bytes", -5, 'column "bytes" holds -5 in row 3, a number below 0'],
];

Deno.test("fromArrow() names column, row and value that a timeline cannot hold", () => {
  for (const [name, value, message] of outside) {
    if (name === "lane") continue; // a column of numbers and texts has no Arrow type
    const bytes = toArrow(changed(name, 3, value));
    assertThrows(() => fromArrow(bytes), SchemoeError, message);
  }
});

const run = { name: "a", pass: "forward", configuration: { chunks: 3 }, timeline } as const;

async function saved(body: (folder: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    await saveRun(run, `${root}/run`);
    await body(`${root}/run`);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("loadRun() finds any changed byte of its timeline by the check sum", async () => {
  await saved(async (folder) => {
    const path = `${folder}/timeline.arrow`;
    const good = await Deno.readFile(path);
    const random = randomFrom(11);
    for (let i = 0; i < 60; i++) {
      const at = random(good.length);
      const bytes = good.slice();
      bytes[at] ^= 1 << random(8);
      await Deno.writeFile(path, bytes);
      const error = await assertRejects(() => loadRun(folder), SchemoeError);
      assert(
        error.message.startsWith(`Cannot load the run ${folder}: timeline.arrow was changed: `),
      );
    }
    await Deno.writeFile(path, good);
    assertEquals((await loadRun(folder)).timeline.objects(), timeline.objects());
  });
});

Deno.test("loadRun() reads runs without a check sum, whose damage is found or does no harm", async () => {
  await saved(async (folder) => {
    const file = JSON.parse(await Deno.readTextFile(`${folder}/run.json`));
    delete file.timeline.sha256;
    await Deno.writeTextFile(`${folder}/run.json`, JSON.stringify(file));
    assertEquals((await loadRun(folder)).name, "a");
    const good = await Deno.readFile(`${folder}/timeline.arrow`);
    const random = randomFrom(5);
    for (let i = 0; i < 60; i++) {
      await Deno.writeFile(`${folder}/timeline.arrow`, damaged(good, random));
      try {
        const loaded = await loadRun(folder);
        assert(!/NaN|undefined/.test(`${loaded.verdict}`));
        // deno-lint-ignore no-explicit-any
        await (loaded as any)[Symbol.for("Jupyter.display")]();
      } catch (error) {
        assert(
          error instanceof SchemoeError && error.message.includes("timeline.arrow"),
          `${error}`,
        );
      }
    }
  });
});

Deno.test("loadRun() of a damaged run.json throws nothing but SchemoeError, or shows itself", async () => {
  await saved(async (folder) => {
    const { sha256: _, ...file } = JSON.parse(await Deno.readTextFile(`${folder}/run.json`));
    // a run that was saved before there was a check sum
    const good = new TextEncoder().encode(JSON.stringify({ ...file, topology: world }, null, 2));
    const random = randomFrom(3);
    let loadedRuns = 0;
    for (let i = 0; i < 200; i++) {
      const bytes = good.slice();
      bytes[random(bytes.length)] = 32 + random(95);
      await Deno.writeFile(`${folder}/run.json`, bytes);
      try {
        const loaded = await loadRun(folder);
        assert(!/NaN|undefined/.test(`${loaded.verdict}`));
        // deno-lint-ignore no-explicit-any
        await (loaded as any)[Symbol.for("Jupyter.display")]();
        loadedRuns++;
      } catch (error) {
        assert(error instanceof SchemoeError && error.message.includes(folder), `${error}`);
      }
    }
    assert(loadedRuns > 5 && loadedRuns < 195, `${loadedRuns} were loaded`);
  });
});

Deno.test("loadRun() refuses any change of what run.json says", async () => {
  await saved(async (folder) => {
    const text = await Deno.readTextFile(`${folder}/run.json`);
    const pretty = JSON.stringify(JSON.parse(text));
    await Deno.writeTextFile(`${folder}/run.json`, pretty);
    await loadRun(folder); // another layout says the same
    for (
      const [from, to] of [[/"name":"a"/, '"name":"b"'], [/"saved":"2/, '"saved":"1']] as const
    ) {
      await Deno.writeTextFile(`${folder}/run.json`, pretty.replace(from, to));
      await assertRejects(() => loadRun(folder), SchemoeError, "run.json was changed");
    }
  });
});

Deno.test("loadRun() names ranks that the topology does not have, and fields of other types", async () => {
  const topology = { ...world, nodes: 1, ranks: 2 };
  await saved(async (folder) => {
    const file = JSON.parse(await Deno.readTextFile(`${folder}/run.json`));
    const wrong: [object, string][] = [
      [{ topology }, 'timeline.arrow was changed: column "rank" holds 2 in row'],
      [
        { topology: { ...topology, ranks: 3 } },
        "run.json was changed: Cannot make the topology: ranks",
      ],
      [{ topology: { ...topology, links: {} } }, "intra must be an object"],
      [{ topology: { ...topology, processor: undefined } }, "processor must be an object"],
      [{ topology: 3 }, 'has 3 as "topology"'],
      [{ bound: { seconds: "1" } }, 'as "bound": it was changed'],
      [{ bound: { seconds: -1 } }, 'as "bound": it was changed'],
      [{ bound: null }, 'has null as "bound"'],
      [{ configuration: { a: { b: 1 } } }, 'as "configuration": it was changed'],
      [{ saved: "soon" }, 'has "soon" as "saved"'],
      [{ timeline: { ...file.timeline, rows: -1 } }, 'as "timeline"'],
      [{ timeline: { ...file.timeline, file: ".." } }, 'as "timeline"'],
      [{ version: -1 }, "the version -1, not an integer"],
    ];
    for (const [fields, message] of wrong) {
      await Deno.writeTextFile(`${folder}/run.json`, JSON.stringify({ ...file, ...fields }));
      await assertRejects(() => loadRun(folder), SchemoeError, message);
    }
  });
});
