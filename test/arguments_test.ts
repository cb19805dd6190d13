/** Every exported function says what is wrong with its arguments, where JavaScript would say what it could not read. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { aCount, expect, listOf, maybe, options, record } from "../lib/arguments/mod.ts";
import { gantt, SchemoeError } from "../mod.ts";
import type { Told } from "./arguments/fuzz.ts";

/** Seconds that one call may take. */
const HANGS = 20;

Deno.test("every exported function answers wrong arguments with a SchemoeError, and none hangs", async () => {
  const worker = new Worker(new URL("./arguments/fuzz.ts", import.meta.url), { type: "module" });
  const faults: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<Extract<Told, { calls: number }>>();
  let [call, told] = ["the imports", performance.now()];
  const watch = setInterval(() => {
    if (performance.now() - told > 1000 * HANGS) reject(new Error(`${call} hangs`));
  }, 500);
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(`after ${call}: ${event.message}`));
  };
  worker.onmessage = ({ data }: MessageEvent<Told>) => {
    told = performance.now();
    if ("call" in data) call = data.call;
    else if ("fault" in data) faults.push(data.fault);
    else resolve(data);
  };
  try {
    const { functions, calls } = await promise;
    assertEquals(faults, []);
    assert(functions > 350 && calls > 10_000, `${functions} functions, ${calls} calls`);
  } finally {
    clearInterval(watch);
    worker.terminate();
  }
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
