import { assert, assertEquals, assertRejects } from "@std/assert";
import { dirname } from "node:path";
import { SchemoeError } from "../../mod.ts";
import { parseSafetensors, writeSummed } from "../../lib/files/mod.ts";
import { historyOf } from "../../lib/training/history.ts";
import { train } from "../../lib/training/mod.ts";
import { cpu, data, makeModel, withCheckpoint } from "./fixture.ts";

Deno.test("train() keeps the checkpoint before values that are not finite", async () => {
  await withCheckpoint(async (path) => {
    using engine = cpu(1);
    {
      using model = makeModel(engine);
      await train(model, { data, checkpoint: path, steps: 2, validateEvery: 0, progress: false });
    }
    // a state that makes NaN of a parameter in the update, after a loss that is finite
    const { tensors, metadata } = parseSafetensors(Deno.readFileSync(path), path);
    tensors.get("optimizer.embedding.first")!.data[5] = NaN;
    await writeSummed(tensors, path, metadata);
    const bytes = Deno.readFileSync(path);
    using model = makeModel(engine);
    const run = await train(model, {
      ...{ data, checkpoint: path, steps: 6, checkpointEvery: 1 },
      ...{ validateEvery: 0, progress: false },
    });
    assertEquals(run.stopped, 'after step 2 a value of "embedding" is NaN');
    assert(run.steps.every(({ loss }) => Number.isFinite(loss)));
    assertEquals(Deno.readFileSync(path), bytes);
    assertEquals([...Deno.readDirSync(dirname(path))].length, 1);
    // whoever saves himself may want to look at such values
    await model.save(path);
    await assertRejects(() => model.save(path, {}, { finite: true }), SchemoeError, "is NaN");
  });
});

Deno.test("train() knows before the first step where no checkpoint can be written", async () => {
  await withCheckpoint(async (path) => {
    using engine = cpu(1);
    using model = makeModel(engine);
    const options = { data, steps: 2, validateEvery: 0, progress: false } as const;
    for (
      const [checkpoint, message] of [
        [`${dirname(path)}/none/c.safetensors`, `there is no folder ${dirname(path)}/none`],
        [dirname(path), "it is no file"],
      ]
    ) {
      const says = `Cannot write ${checkpoint}: ${message}`;
      await assertRejects(() => train(model, { ...options, checkpoint }), SchemoeError, says);
    }
    assertEquals(model.steps, 0);
  });
});

Deno.test("train() removes what checkpoints that were killed have left, and nothing else", async () => {
  await withCheckpoint(async (path) => {
    const old = [`${path}.0123abcd.partial`, `${path}.0123abcd.partial.txt`, `${path}.partial`];
    for (const name of old) {
      Deno.writeTextFileSync(name, "");
      Deno.utimeSync(name, 0, 0);
    }
    const fresh = `${path}.456789ab.partial`;
    Deno.writeTextFileSync(fresh, "");
    using engine = cpu(1);
    using model = makeModel(engine);
    await train(model, { data, checkpoint: path, steps: 1, validateEvery: 0, progress: false });
    const left = [...Deno.readDirSync(dirname(path))].map(({ name }) => `${dirname(path)}/${name}`);
    assertEquals(left.sort(), [path, ...old.slice(1), fresh].sort());
  });
});

Deno.test("a history whose rows have no step is none", () => {
  const rows = { speeds: [], validations: [], seconds: 1 };
  const of = (steps: unknown) => historyOf({ training: JSON.stringify({ ...rows, steps }) });
  assertEquals(of([{ step: 0, loss: 1 }]).steps.length, 1);
  assertEquals(of([1, 2]), of(null));
  assertEquals(of([{ step: 0 }, { loss: 1 }]).steps, []);
});
