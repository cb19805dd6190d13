/**
 * Tests that would notice: each mutant is a mistake that once passed all tests. The repository is copied,
 * the mistake made in the copy, and the tests named beside it must fail there.
 */
import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url).pathname;

const MUTANTS: readonly {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly tests: string;
}[] = [
  {
    name: "the importance loss does not reach a router of one's own",
    file: "lib/blocks/gates/router_of.ts",
    from: "(dWeights[i] += slopes[expert])",
    to: "(dWeights[i] += 0 * slopes[expert])",
    tests: "test/blocks/router_of_test.ts",
  },
  {
    name: "a codec in JavaScript is not told the rows of each expert",
    file: "lib/graph/coding.ts",
    from: "...(compressor.grouped ? { groups: groupRows } : {}),",
    to: "",
    tests: "test/compressors/own_blocks_test.ts",
  },
  {
    name: "readyTimes() gives what the engine says",
    file: "lib/timeline/table/timeline.ts",
    from: "latest = Math.max(latest, ends[position * ranks + events.rank[i]]);",
    to: "latest = Math.max(latest, 0 * ends[position * ranks + events.rank[i]]);",
    tests: "test/timeline/timeline_test.ts",
  },
  {
    name: "tune() takes what ran only while the machine was faster",
    file: "lib/layer/auto/rounds.ts",
    from: "best: leastOf(alive, (i) => median(measured[i])) };",
    to:
      "best: leastOf([...measured.keys()].filter((i) => measured[i].length > 0), (i) => median(measured[i])) };",
    tests: "test/adaptive/race_test.ts",
  },
  {
    name: "a profile of another engine predicts without a word",
    file: "lib/layer/auto/predicting_engine.ts",
    from: "checkOrigin(profile, engine);",
    to: "",
    tests: "test/profile/origin_test.ts",
  },
  {
    name: "two flags of the engine are swapped",
    file: "lib/native/engine.ts",
    from: "noGraphs: 2, noTimes: 4",
    to: "noGraphs: 4, noTimes: 2",
    tests: "test/native/enums_test.ts",
  },
  {
    name: "GraphBuilder.buffer() takes the last size",
    file: "lib/graph/builder.ts",
    from: "before ? () => Math.max(before(), size()) : size",
    to: "size",
    tests: "test/graph/buffer_test.ts",
  },
  {
    name: "balance losses count by the choices that a token has room for",
    file: "lib/blocks/losses/balance.ts",
    from: "balanceOf(c, first ? 1 : c.k)",
    to: "balanceOf(c, first ? 1 : c.topK)",
    tests: "test/blocks/token_rounding_test.ts",
  },
  {
    name: "a capacity factor below 0 limits nothing in models",
    file: "lib/model/config.ts",
    from: "capacity(layer, routedCapacity(layer) ? layer.tokens : 0)",
    to: "routedCapacity(layer) ? layer.tokens : capacity(layer, 0)",
    tests: "test/model/capacity_test.ts",
  },
  {
    name: "noise of a model's gates is the same in all steps",
    file: "lib/model/model.ts",
    from: "seed: this.seed + this.#steps, scale",
    to: "seed: this.seed, scale",
    tests: "test/model/noise_test.ts",
  },
  {
    name: "matrices of shared experts do not decay",
    file: "lib/model/update.ts",
    from: "(experts|shared)",
    to: "(experts)",
    tests: "test/model/decay_test.ts",
  },
  {
    name: "unordered writes of one value are right",
    file: "lib/alltoall/prove.ts",
    from: "const race = faults.length === 0 || ambiguous ? raceOf(moves) : undefined;",
    to: "const race = ambiguous ? raceOf(moves) : undefined;",
    tests: "test/alltoall/prove_test.ts",
  },
  {
    name: "a router may choose an expert twice",
    file: "lib/blocks/gates/router_checks.ts",
    from: "const twice = repeatedChoice(choices, k);",
    to: "const twice = undefined as ReturnType<typeof repeatedChoice>;",
    tests: "test/blocks/gates_test.ts",
  },
];

async function output(command: string, args: string[], cwd: string): Promise<[number, string]> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    // What the tests of a copy come to is not what CI counts.
    env: { NO_COLOR: "1" },
  }).output();
  return [code, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)];
}

/** A copy of what tests need, with what was built by reference. */
async function copy(): Promise<string> {
  const folder = await Deno.makeTempDir();
  const parts = ["deno.json", "deno.lock", "package.json", "mod.ts", "lib", "test"].map((part) =>
    `${ROOT}${part}`
  );
  const [code, text] = await output("cp", ["-R", ...parts, folder], ROOT);
  assertEquals(code, 0, text);
  await Deno.symlink(`${ROOT}native`, `${folder}/native`);
  return folder;
}

Deno.test("each mutant fails the tests that are there for it, which pass without it", async (t) => {
  const folder = await copy();
  const test = (tests: string) =>
    output(Deno.execPath(), ["test", "-A", "--no-check", "--lock=test/deno.lock", tests], folder);
  try {
    for (const { name, file, from, to, tests } of MUTANTS) {
      await t.step(name, async () => {
        const [before, text] = await test(tests);
        assertEquals(before, 0, text);
        const path = `${folder}/${file}`;
        const source = await Deno.readTextFile(path);
        assertEquals(source.split(from).length, 2, `${file} has not one "${from}"`);
        await Deno.writeTextFile(path, source.replace(from, to));
        const [code, failed] = await test(tests);
        await Deno.writeTextFile(path, source);
        assertEquals(code, 1, failed);
        assert(/\| [1-9]\d* failed/.test(failed), failed);
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
