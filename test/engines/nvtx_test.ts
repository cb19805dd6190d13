import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { describeLibrary, libraryPath } from "../../lib/native/library.ts";
import { openEngine, SchemoeError } from "../../mod.ts";
import { readRecord } from "./nvtx_record.ts";
import type { Operation, Ran, Setup } from "./nvtx_run.ts";

const { nvtx } = describeLibrary().features;
const injection = libraryPath("cpu").replace(/[^/]*$/, "test/libnvtx_injection.so");
const engine = { kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" } as const;

/** Runs `nvtx_run.ts` beside the tool. */
async function record(setup: Setup, env: Record<string, string> = {}) {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/record`;
  const script = new URL("./nvtx_run.ts", import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", script, JSON.stringify(setup)],
    env: { NVTX_INJECTION64_PATH: injection, SCHEMOE_NVTX_RECORD: file, NO_COLOR: "1", ...env },
  }).output();
  const text = await Deno.readTextFile(file).catch(() => "");
  await Deno.remove(folder, { recursive: true });
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const ran: Ran = JSON.parse(new TextDecoder().decode(stdout));
  return { ...ran, text, ranges: readRecord(text) };
}

const inOrder = (list: readonly unknown[]) => list.map((one) => JSON.stringify(one)).sort();
/** An operation as its range shows it. */
const shown = ({ name, rank, lane, communicates }: Operation) => ({
  name,
  rank,
  category: `${communicates ? "communication" : "computation"}, ${lane} lane`,
});
const withRank = (ranges: ReturnType<typeof readRecord>) =>
  ranges.filter(({ rank }) => rank !== undefined)
    .map(({ name, rank, category }) => ({ name, rank, category }));
const withoutRank = (ranges: ReturnType<typeof readRecord>) =>
  ranges.filter(({ rank }) => rank === undefined).map(({ name, category }) => ({ name, category }));

Deno.test({
  name: "nvtx: true makes a range for each operation of a timeline and each run of a Program",
  ignore: !nvtx,
  async fn() {
    const { operations, programs, ranges } = await record({ engine: { ...engine, nvtx: true } });
    assert(operations.length > 100 && operations.some(({ name }) => name === "A1[1] inter"));
    assertEquals(inOrder(withRank(ranges)), inOrder(operations.map(shown)));
    assertEquals(withoutRank(ranges), programs.map((name) => ({ name, category: "" })));
    assert(programs.includes("forward optSche") && programs.includes("backward optSche"));
    assert(ranges.every(({ depth }) => depth === 0), "a lane runs one operation at a time");
  },
});

Deno.test({
  name: "SCHEMOE_NVTX=1 makes ranges in all processes of workers",
  ignore: !nvtx,
  async fn() {
    const { operations, programs, ranges } = await record(
      { engine, workers: true },
      { SCHEMOE_NVTX: "1" },
    );
    assertEquals(inOrder(withRank(ranges)), inOrder(operations.map(shown)));
    assertEquals(withoutRank(ranges).length, 2 * programs.length);
  },
});

Deno.test({
  name: "nvtx: true ends all ranges of a run that is stopped",
  ignore: !nvtx,
  async fn() {
    const { ranges } = await record({ engine: { kind: "cpu", nvtx: true }, stops: true });
    // one that makes the parameters, and two that are stopped
    assertEquals(withoutRank(ranges).length, 3);
    // two runs, two ranks, each in the middle of its first all-to-all
    assertEquals(ranges.filter(({ name }) => name.startsWith("A1[0]")).length, 4);
    assertEquals(ranges.filter(({ name }) => name.startsWith("E[0]")).length, 0);
  },
});

Deno.test({
  name: "without nvtx, and with nvtx: false whatever SCHEMOE_NVTX says, there are no ranges",
  ignore: !nvtx,
  async fn() {
    assertEquals((await record({ engine }, { SCHEMOE_NVTX: "0" })).text, "");
    assertEquals(
      (await record({ engine: { ...engine, nvtx: false } }, { SCHEMOE_NVTX: "1" })).text,
      "",
    );
  },
});

Deno.test({
  name: "nvtx: true says that the library was built without NVTX",
  ignore: nvtx,
  fn() {
    const error = assertThrows(() => openEngine({ ...engine, nvtx: true }), SchemoeError);
    assertMatch(error.message, /built without the headers of NVTX; install .* and rebuild it/);
    assertEquals(error.status, 6);
  },
});

Deno.test("openEngine() refuses an nvtx that is not boolean, or not for its engine", async () => {
  const refused = (options: unknown) =>
    assertThrows(() => openEngine(options as typeof engine), SchemoeError).message;
  assertMatch(refused({ ...engine, nvtx: "yes" }), /nvtx must be true or false, got "yes"/);
  assertMatch(
    refused({ kind: "simulate", nvtx: true }),
    /nvtx is an option of the cpu and cuda engines/,
  );
  await assertRejects(
    () => record({ engine }, { SCHEMOE_NVTX: "yes" }),
    Error,
    'SCHEMOE_NVTX must be 0 or 1, got "yes"',
  );
});
