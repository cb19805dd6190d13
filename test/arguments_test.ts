/** Every exported function says what is wrong with its arguments, where JavaScript would say what it could not read. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { aCount, expect, listOf, maybe, options, record } from "../lib/arguments/mod.ts";
import { gantt, SchemoeError } from "../mod.ts";
import { TOLD, type Told } from "./arguments/told.ts";

const LOCK = new URL("deno.lock", import.meta.url).pathname;
const FUZZ = new URL("arguments/fuzz.ts", import.meta.url).href;
/** Seconds that one call may take. */
const HANGS = 20;

Deno.test("every exported function answers wrong arguments with a SchemoeError, and none hangs", async () => {
  // a process of its own can be ended in the middle of a call
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "-A", `--lock=${LOCK}`, FUZZ],
    ...{ stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  const errors = new Response(child.stderr).text();
  const faults: string[] = [];
  let [call, told] = ["the imports", performance.now()];
  let hangs = false;
  const watch = setInterval(() => {
    hangs ||= performance.now() - told > 1000 * HANGS;
    if (hangs) child.kill("SIGKILL");
  }, 500);
  let end: Extract<Told, { calls: number }> | undefined;
  const lines = child.stdout.pipeThrough(new TextDecoderStream());
  let rest = "";
  for await (const text of lines) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    for (const line of parts) {
      if (!line.startsWith(TOLD)) continue;
      told = performance.now();
      const data: Told = JSON.parse(line.slice(TOLD.length));
      if ("call" in data) call = data.call;
      else if ("fault" in data) faults.push(data.fault);
      else end = data;
    }
  }
  clearInterval(watch);
  const { code } = await child.status;
  assert(!hangs, `${call} hangs`);
  assertEquals(code, 0, `after ${call}: ${await errors}`);
  assertEquals(faults, []);
  assert(end && end.functions > 350 && end.calls > 10_000, JSON.stringify(end));
});

Deno.test("expect() names function, argument and place, and says what is right", async () => {
  const kind = options({
    rate: aCount,
    of: maybe(listOf(record("a pair { a }", { a: aCount }), "pairs")),
  });
  const says = (value: unknown, message: string) =>
    assertThrows(() => expect("f", "options", value, kind), SchemoeError, message);
  expect("f", "options", { rate: 1 }, kind);
  expect("f", "options", { rate: 1, of: [{ a: 1, b: 2 }] }, kind);
  says(null, "Cannot call f: options must be an object { rate, of }, got null");
  says({ rat: 1 }, 'Cannot call f: "rat" is not an option (rate, of); did you mean "rate"?');
  says({}, "Cannot call f: options.rate must be a positive integer, got undefined");
  says({ rate: 1, of: 3 }, "Cannot call f: options.of must be a list of pairs, got 3");
  says(
    { rate: 1, of: [{ a: 1 }, { a: 0.5 }] },
    "Cannot call f: options.of[1].a must be a positive integer, got 0.5",
  );
  says(Promise.resolve({}), 'got a Promise; it is a Promise, write "await" before it');
  const drawn = await gantt(null as never).catch((error) => error);
  assert(drawn instanceof SchemoeError && drawn.message.includes("give a run"), drawn.message);
});
