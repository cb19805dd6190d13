import { assert, assertEquals } from "@std/assert";

const LOCK = new URL("../deno.lock", import.meta.url).pathname;
const SCRIPT = new URL("ended_worker.ts", import.meta.url).href;

for (const waits of ["link", "host"]) {
  Deno.test(`workers that are ended in the middle of runs take neither the process down nor leave threads (${waits})`, async () => {
    const { code, signal, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "-A", `--lock=${LOCK}`, SCRIPT, waits],
      stdin: "null",
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
    assertEquals([code, signal], [0, null], text(stderr));
    const { first, most, last } = JSON.parse(text(stdout));
    // two ranks of three lanes each, besides threads of Deno
    assert(most - first >= 18, text(stdout));
    assert(last <= most - 18, text(stdout));
  });
}
