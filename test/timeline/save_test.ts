import { assert, assertEquals, assertRejects } from "@std/assert";
import { loadRun } from "../../lib/timeline/table/load.ts";
import { saveRun } from "../../lib/timeline/table/save.ts";
import { SchemoeError } from "../../lib/types.ts";
import { createLayer, openEngine, type Run, topK } from "../../mod.ts";
import { forwardTimeline } from "./fixture.ts";

/** What Jupyter shows of a value. */
// deno-lint-ignore no-explicit-any
const shown = (value: any) => value[Symbol.for("Jupyter.display")]();

async function ran(): Promise<Run> {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const layer = createLayer(engine, {
    tokens: 64,
    modelDim: 32,
    hiddenDim: 64,
    experts: 8,
    gate: topK({ k: 2 }),
  });
  return await layer.forward({ scheduler: "optSche", chunks: 2, allToAll: "pipe", name: "a / b" });
}

/** Runs a body with a folder that does not exist yet. */
async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    await body(`${root}/runs/a`);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("loadRun() gives back what saveRun() wrote", async () => {
  await withFolder(async (folder) => {
    const run = await ran();
    await saveRun(run, folder);
    const loaded = await loadRun(`${folder}/`);
    assertEquals(loaded.timeline.objects(), run.timeline.objects());
    for (
      const name of ["name", "pass", "configuration", "verdict", "caption", "makespan"] as const
    ) {
      assertEquals(loaded[name], run[name], name);
    }
    assertEquals([loaded.bound, loaded.boundLimit], [run.bound, run.boundLimit]);
    assertEquals(loaded.topology, JSON.parse(JSON.stringify(run.ran[0].program.graph.topology)));
    assertEquals(await loaded.gantt(), await run.gantt());
    assertEquals(await shown(loaded), await shown(run));
    assertEquals(await Deno.readTextFile(`${folder}/gantt.svg`), await run.gantt());
    assertEquals(loaded.versions.deno, Deno.version.deno);
    assert(Math.abs(loaded.saved.getTime() - Date.now()) < 60_000);
  });
});

Deno.test("saveRun() replaces a saved run, saves a loaded one, and keeps off other folders", async () => {
  await withFolder(async (folder) => {
    const run = await ran();
    await saveRun(run, folder);
    const timeline = forwardTimeline({ nodes: 1, ranksPerNode: 2, chunks: 1, name: "b" });
    await saveRun({ name: "b", pass: "forward", configuration: {}, timeline }, folder);
    const loaded = await loadRun(new URL(`file://${folder}`));
    assertEquals([loaded.name, loaded.bound, loaded.topology], ["b", undefined, undefined]);
    await saveRun(loaded, `${folder}/../copy`);
    assertEquals((await loadRun(`${folder}/../copy`)).timeline.objects(), timeline.objects());
    await Deno.writeTextFile(`${folder}/thesis.tex`, "");
    await assertRejects(() => saveRun(run, folder), SchemoeError, "the folder holds thesis.tex");
    assertEquals((await loadRun(folder)).name, "b");
    await assertRejects(
      () => saveRun(run, `${folder}/run.json`),
      SchemoeError,
      "Cannot save the run to",
    );
  });
});

Deno.test("loadRun() says which file is missing, cut off, changed, foreign or newer", async (t) => {
  await withFolder(async (folder) => {
    const run = await ran();
    const json = (changes: object) => async () => {
      const file = JSON.parse(await Deno.readTextFile(`${folder}/run.json`));
      await Deno.writeTextFile(`${folder}/run.json`, JSON.stringify({ ...file, ...changes }));
    };
    const cut = (name: string, size: number) => () => Deno.truncate(`${folder}/${name}`, size);
    const broken: Record<string, [() => Promise<void>, string]> = {
      "no folder": [
        () => Deno.remove(folder, { recursive: true }),
        "there is no run.json; name the",
      ],
      "no timeline": [() => Deno.remove(`${folder}/timeline.arrow`), "there is no timeline.arrow"],
      "half a run.json": [cut("run.json", 100), "run.json is not JSON: it is cut off"],
      "an empty run.json": [cut("run.json", 0), "run.json is not JSON"],
      "half a timeline": [cut("timeline.arrow", 1000), "timeline.arrow has 1000 bytes instead of"],
      "a foreign run.json": [json({ format: undefined }), "run.json is of another program"],
      "a newer version": [json({ version: 2 }), "it has version 2, this package reads up to 1"],
      "an odd version": [json({ version: "1" }), 'the version "1", not an integer'],
      "no configuration": [json({ configuration: 3 }), 'has 3 as "configuration": it was changed'],
      "a bound of text": [json({ bound: { seconds: "x" } }), 'as "bound": it was changed'],
      "a file elsewhere": [
        json({ timeline: { file: "../../secret", rows: 1, bytes: 1 } }),
        'as "timeline": it was changed',
      ],
      "other bytes": [
        async () => {
          const { size } = await Deno.stat(`${folder}/timeline.arrow`);
          await Deno.writeFile(`${folder}/timeline.arrow`, new Uint8Array(size).fill(7));
        },
        "timeline.arrow was changed: Cannot read the timeline",
      ],
    };
    for (const [what, [change, message]] of Object.entries(broken)) {
      await t.step(what, async () => {
        await saveRun(run, folder);
        await change();
        const error = await assertRejects(() => loadRun(folder), SchemoeError);
        assert(error.message.startsWith(`Cannot load the run ${folder}: `), error.message);
        assert(error.message.includes(message), error.message);
      });
    }
  });
});

Deno.test("loadRun() needs neither engines nor the native library", async () => {
  const entry = `${import.meta.dirname}/../../lib/timeline/mod.ts`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry],
    stderr: "null",
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout));
  const local = modules.map(({ specifier }: { specifier: string }) => specifier)
    .filter((specifier: string) => specifier.includes("/lib/"));
  assert(local.some((specifier: string) => specifier.endsWith("/lib/timeline/table/load.ts")));
  assertEquals(
    local.filter((specifier: string) =>
      /\/lib\/(engines|native|layer|graph|studies)\//.test(specifier)
    ),
    [],
  );
});

Deno.test("saveRun() leaves the run before where the disk is full", async () => {
  await withFolder(async (folder) => {
    const run = await ran();
    await saveRun(run, folder);
    await Deno.remove(`${folder}/gantt.svg`);
    await Deno.symlink("/dev/full", `${folder}/gantt.svg`);
    const timeline = forwardTimeline({ nodes: 1, ranksPerNode: 2, chunks: 1, name: "b" });
    const other = { name: "b", pass: "forward", configuration: {}, timeline } as const;
    await assertRejects(() => saveRun(other, folder), SchemoeError, "No space left on device");
    assertEquals((await loadRun(folder)).timeline.objects(), run.timeline.objects());
    const left = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).toSorted();
    assertEquals(left, ["gantt.svg", "run.json", "timeline.arrow"]);
    // what a process left that was killed while it saved
    await Deno.remove(`${folder}/gantt.svg`);
    await Deno.writeTextFile(`${folder}/timeline.arrow.0123abcd.partial`, "ARR");
    await saveRun(other, folder);
    assertEquals((await loadRun(folder)).name, "b");
  });
});
