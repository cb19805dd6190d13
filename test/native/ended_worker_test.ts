import { assertEquals } from "@std/assert";

const LOCK = new URL("../deno.lock", import.meta.url).pathname;
const SCRIPT = new URL("ended_worker.ts", import.meta.url).href;

Deno.test("a worker that is ended in the middle of a run does not take the process down", async () => {
  for (let i = 0; i < 2; i++) {
    const { code, signal, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "-A", `--lock=${LOCK}`, SCRIPT],
      stdin: "null",
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
    assertEquals([code, signal, text(stdout)], [0, null, "alive"], text(stderr));
  }
});
