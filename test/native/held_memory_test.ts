import { assertEquals } from "@std/assert";

const LOCK = new URL("../deno.lock", import.meta.url).pathname;
const SCRIPT = new URL("held_memory.ts", import.meta.url).href;

// What the native library relies on: each run, read and write of megabytes is such a call.
Deno.test("Deno holds memory that a call on another thread uses, though its worker is ended", async () => {
  for (const [how, expected] of [["buffer", "held"], ["pointer", "freed"]]) {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "-A", `--lock=${LOCK}`, SCRIPT, how],
      stdin: "null",
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
    assertEquals(text(stdout), expected, text(stderr));
  }
});
