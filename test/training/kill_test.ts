import { assert, assertEquals, assertMatch } from "@std/assert";
import { openSafetensors } from "../../mod.ts";
import { withCheckpoint } from "./fixture.ts";

const SCRIPT = new URL("script.ts", import.meta.url).pathname;
const LOCK = new URL("../deno.lock", import.meta.url).pathname;

/** Runs the script; once it has printed `at`, it gets the signal. */
async function script(
  args: readonly string[],
  { at, signal }: { at?: string; signal?: Deno.Signal } = {},
) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "-A", `--lock=${LOCK}`, SCRIPT, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  const lines: string[] = [];
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    for (const line of parts) {
      lines.push(line);
      if (line === at) child.kill(signal!);
    }
  }
  const { code, signal: ended } = await child.status;
  return { lines, code, ended, errors: await errors };
}

for (const routing of ["padded", "dropless"]) {
  Deno.test(`train() goes on after kill -9 with the same losses, bit for bit, rows ${routing}`, async () => {
    await withCheckpoint(async (path) => {
      const whole = await script([`${path}.whole`, "14", routing]);
      assertEquals(whole.code, 0, whole.errors);
      const killed = await script([path, "14", routing], { at: "step 8", signal: "SIGKILL" });
      assertEquals(killed.ended, "SIGKILL");
      assert(!killed.lines.some((line) => line.startsWith("[")), "it was killed too late");
      {
        using file = await openSafetensors(path);
        assert(Number(file.metadata.step) >= 6 && Number(file.metadata.step) < 14);
      }
      const continued = await script([path, "14", routing]);
      assertEquals(continued.code, 0, continued.errors);
      assertEquals(continued.lines.at(-1), whole.lines.at(-1));
      assertEquals(JSON.parse(whole.lines.at(-1)!).length, 14);
      assert(!continued.lines.includes("step 6"), "it began anew");
    });
  });
}

Deno.test("train() in a script ends at SIGINT after the step in progress, with a checkpoint", async () => {
  await withCheckpoint(async (path) => {
    const stopped = await script([path, "100000"], { at: "step 5", signal: "SIGINT" });
    assertEquals(stopped.code, 1);
    assertMatch(stopped.errors, /Training was stopped after \d+ steps?: Interrupted by SIGINT; /);
    const last = Number(stopped.lines.at(-1)!.replace("step ", ""));
    using file = await openSafetensors(path);
    assertEquals(Number(file.metadata.step), last);
  });
});
