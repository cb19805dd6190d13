import { assert, assertEquals, assertMatch } from "@std/assert";
import { interruptSignal } from "../mod.ts";

const MOD = new URL("../mod.ts", import.meta.url).href;
/** Runs that take longer than any test waits, until they are interrupted. */
const SCRIPT = `
import { createLayer, interruptSignal, openEngine, topology } from "${MOD}";
using signal = interruptSignal();
const world = topology({ nodes: 2, ranksPerNode: 1, inter: { alpha: 1000, beta: 0 } });
const engine = openEngine({ kind: "cpu", topology: world, links: "emulated" });
const layer = createLayer(engine, { tokens: 16, modelDim: 8, hiddenDim: 8, experts: 2 });
try {
  const running = layer.forward({ signal });
  console.log("begun");
  await running;
} catch (error) {
  console.log(error.message, error.status, error.cause.message);
} finally {
  await engine.idle();
  engine.close();
  console.log("closed");
}
if (Deno.args[0] === "stay") {
  console.log("staying");
  await new Promise((resolve) => setTimeout(resolve, 600_000));
}
`;

/** What it prints; it is interrupted whenever it printed one of these lines. */
async function interrupted(script: string, after: readonly string[], args: string[] = []) {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, script);
  const config = new URL("../deno.json", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--no-lock", "-A", "--config", config, file, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines: string[] = [];
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    for (const line of parts) {
      lines.push(line);
      if (after.includes(line)) child.kill("SIGINT");
    }
  }
  const { code, signal } = await child.status;
  await Deno.remove(file);
  return { lines, code, signal };
}

Deno.test("interruptSignal() ends a run at Ctrl+C, and lets the script clean up", async () => {
  const { lines, code } = await interrupted(SCRIPT, ["begun"]);
  assertEquals(lines[0], "begun");
  assertMatch(
    lines[1],
    /^Cannot (finish|run) the (run|Program|pass): it was aborted( while .+)? 3 Interrupted by SIGINT$/,
  );
  assertEquals(lines.slice(2), ["closed"]);
  assertEquals(code, 0);
});

Deno.test("interruptSignal() leaves the second Ctrl+C to end the process", async () => {
  const { lines, signal, code } = await interrupted(SCRIPT, ["begun", "staying"], ["stay"]);
  assertEquals(lines.slice(2), ["closed", "staying"]);
  assert(signal === "SIGINT" || code === 130, `${signal} ${code}`);
});

Deno.test("interruptSignal() ends a loop of simulated passes, which wait for nothing else", async () => {
  const loop = `
import { createLayer, interruptSignal, openEngine } from "${MOD}";
using signal = interruptSignal();
const engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
const layer = createLayer(engine, { tokens: 16, modelDim: 8, hiddenDim: 8, experts: 2 });
const begun = performance.now();
console.log("begun");
try {
  // far longer than the signal takes, and not for ever
  while (performance.now() - begun < 20_000) await layer.forward({ signal });
  console.log("never heard");
} catch (error) {
  console.log(error.message, error.status, error.cause.message);
}
`;
  const { lines, code } = await interrupted(loop, ["begun"]);
  assertEquals(lines[0], "begun");
  assertMatch(lines[1], /^Cannot run the (Program|pass): it was aborted 3 Interrupted by SIGINT$/);
  assertEquals([lines.length, code], [2, 0]);
});

Deno.test("interruptSignal() is an AbortSignal that can be disposed of, more than once", () => {
  const signal = interruptSignal();
  assert(signal instanceof AbortSignal && !signal.aborted);
  signal[Symbol.dispose]();
  signal[Symbol.dispose]();
  assert(!signal.aborted);
});
