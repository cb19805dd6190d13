import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { NativeEngine, type PreparedProgram, type StartedRun } from "../../lib/native/engine.ts";
import { runProgram } from "../../lib/native/started.ts";
import { pack } from "../../lib/program/mod.ts";
import { SchemoeError } from "../../lib/types.ts";
import { chain, fill, floats, pair } from "./programs.ts";

type Native = Parameters<typeof runProgram>[0];

const program = { operations: 1 } as PreparedProgram;
const some = () => new BigUint64Array(4);

/** A library that can begin a run, and counts what is asked of it. */
function begins(run: Partial<StartedRun>) {
  const asked = { start: 0, run: 0, ended: 0, end: 0 };
  const native: Native = {
    start: () => {
      asked.start++;
      return {
        ended: () => {
          asked.ended++;
          return run.ended?.();
        },
        end: () => {
          asked.end++;
          return run.end!();
        },
      };
    },
    run: () => {
      asked.run++;
      return Promise.resolve(some());
    },
  };
  return { native, asked };
}

Deno.test("runProgram() runs on another thread what cannot be begun on this one", async () => {
  const events = some();
  const run = (given: PreparedProgram, limit: number) => {
    assertEquals([given, limit], [program, 7]);
    return Promise.resolve(events);
  };
  assertStrictEquals(await runProgram({ run }, program, 7), events);
  assertStrictEquals(await runProgram({ run, start: () => undefined }, program, 7), events);
});

Deno.test("runProgram() gives the events of a run that is over at once", async () => {
  const events = some();
  const { native, asked } = begins({ ended: () => events });
  assertStrictEquals(await runProgram(native, program, 7), events);
  assertEquals(asked, { start: 1, run: 0, ended: 1, end: 0 });
});

Deno.test("runProgram() leaves the event loop its turns while a run goes on", async () => {
  const events = some();
  let fired = false;
  const { native, asked } = begins({
    ended: () => fired ? events : undefined,
    end: () => Promise.reject(new Error("no timer has fired")),
  });
  setTimeout(() => fired = true, 1);
  assertStrictEquals(await runProgram(native, program, 7), events);
  assert(asked.ended > 1);
});

Deno.test("runProgram() lets a thread wait for a run that goes on for long", async () => {
  const events = some();
  const { native, asked } = begins({ ended: () => undefined, end: () => Promise.resolve(events) });
  assertStrictEquals(await runProgram(native, program, 7), events);
  assertEquals([asked.run, asked.end], [0, 1]);
});

Deno.test("runProgram() rejects with what the library says, whenever it does", async () => {
  const fail = (): never => {
    throw new SchemoeError("the GPU is gone");
  };
  const never = () => undefined;
  for (
    const native of [
      { start: fail, run: () => Promise.resolve(some()) },
      begins({ ended: fail }).native,
      begins({ ended: never, end: () => Promise.reject(new SchemoeError("the GPU is gone")) })
        .native,
    ]
  ) await assertRejects(() => runProgram(native, program, 7), SchemoeError, "the GPU is gone");
});

Deno.test("NativeEngine.start() begins nothing on the CPU, where run() runs it", async () => {
  const native = new NativeEngine({ kind: "cpu", nodes: 1, ranksPerNode: pair.ranks });
  const id = native.allocate([64, 64]);
  const { bytes } = pack(chain(pair, () => [fill(4, 3)]), {
    place: () => ({ id }),
    seconds: () => undefined,
  });
  const prepared = native.prepare(bytes, pair.ranks);
  for (let again = 0; again < 2; again++) {
    assertEquals(native.start(prepared, 7), undefined);
    assert((await runProgram(native, prepared, 7)).some((time) => time > 0n));
    const data = new Uint8Array(16);
    native.read({ id, rank: 1, offset: 0 }, data);
    assertEquals(floats(data), [3, 3, 3, 3]);
    native.write({ id, rank: 1, offset: 0 }, new Uint8Array(16));
  }
  native.release(prepared);
  native.close();
});
