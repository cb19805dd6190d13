import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { openCpuEngine } from "../../lib/engines/cpu.ts";
import { defaultTimeLimit, sayLimit } from "../../lib/native/time_limit.ts";
import { SchemoeError } from "../../lib/types.ts";
import { calling, never, pair } from "./programs.ts";

Deno.test("defaultTimeLimit() is shorter in a notebook, whose waiting cells cannot be interrupted", () => {
  assertEquals(defaultTimeLimit(), 600);
  assertEquals(defaultTimeLimit(true), 60);
});

Deno.test("sayLimit() keeps what an error says and where, and tells how to get more time", () => {
  const error = new SchemoeError("Cannot finish the run in 60 s: task ask", { status: 4, rank: 1 });
  const { message, status, rank, cause } = sayLimit(error, true);
  assertMatch(
    message,
    /^Cannot finish the run in 60 s: task ask; that is the default in a notebook/,
  );
  assertMatch(message, /give a run more with timeLimit$/);
  assertEquals([status, rank, cause], [4, 1, error]);
});

Deno.test("run() with a limit of its own says nothing of the default", async () => {
  using engine = openCpuEngine({ topology: pair });
  const running = () => engine.run(calling(pair, never), engine.workspace(), { timeLimit: 0.05 });
  const { message } = await assertRejects(running, SchemoeError);
  assert(!message.includes("default"), message);
});
