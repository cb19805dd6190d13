import { assert, assertEquals } from "@std/assert";
import { ALLOWED, growthOf, leaksOf } from "../../lib/tasks/soak/growth.ts";
import type { Usage } from "../../lib/tasks/soak/process.ts";
import { root } from "../../lib/tasks/build/command.ts";

const MIB = 2 ** 20;
const level: Usage = {
  resident: 100 * MIB,
  heap: 12 * MIB,
  external: 0,
  descriptors: 25,
  threads: 17,
};
/** 100 looks, of which each takes so much more than the one before, after a warm-up. */
const series = (each: Partial<Usage>): Usage[] =>
  Array.from({ length: 100 }, (_, i) => {
    const add = (of: keyof Usage) => level[of] + Math.max(0, i - 20) * (each[of] ?? 0);
    return {
      resident: add("resident") - (i < 10 ? 50 * MIB : 0),
      heap: add("heap"),
      external: add("external"),
      descriptors: add("descriptors"),
      threads: add("threads"),
    };
  });

Deno.test("growthOf() leaves out the warm-up, and leaksOf() names what grows", () => {
  assertEquals(leaksOf(growthOf(series({})), ALLOWED), []);
  assertEquals(leaksOf(growthOf(series({ resident: MIB / 5 })), ALLOWED), ["resident"]);
  assertEquals(leaksOf(growthOf(series({ heap: MIB / 10 })), ALLOWED), ["heap"]);
  assertEquals(leaksOf(growthOf(series({ descriptors: 1, threads: 1 })), ALLOWED), [
    "descriptors",
    "threads",
  ]);
});

Deno.test("deno task soak --quick finds a process that takes no more from run to run, and draws it", async () => {
  const out = await Deno.makeTempDir();
  try {
    const flags = "--v8-flags=--expose-gc,--max-semi-space-size=2";
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-lock",
        "--no-check",
        flags,
        "lib/tasks/soak.ts",
        "--quick",
        "--out",
        out,
      ],
      cwd: root,
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    const lines = Deno.readTextFileSync(`${out}/soak.jsonl`).trim().split("\n");
    const phases = lines.map((line) => JSON.parse(line));
    assertEquals(phases.map(({ phase, level }) => [phase, level]), [
      ["runs", true],
      ["engines", true],
      ["routings", true],
    ]);
    for (const { growth } of phases) assertEquals([growth.descriptors, growth.threads], [0, 0]);
    const svg = Deno.readTextFileSync(`${out}/soak.svg`);
    for (const { phase, count } of phases) assert(svg.includes(`${count} ${phase}`), phase);
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});
