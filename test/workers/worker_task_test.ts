import { assertEquals, assertMatch } from "@std/assert";
import { newToken } from "../../lib/workers/mod.ts";

const TASK = new URL("../../lib/tasks/worker.ts", import.meta.url);
const SCRIPT = new URL("./script.ts", import.meta.url);

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Runs a module as a launcher would: only with the variables given. */
async function start(args: readonly string[], env: Record<string, string>) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-lock", "--no-check", "-A", ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  const [out, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes).trim());
  return { code, out, error };
}

Deno.test("gatherWorkers() lets one script be started in all processes by mpirun", async () => {
  const all = {
    SCHEMOE_TOKEN: newToken(),
    MASTER_PORT: `${freePort()}`,
    OMPI_COMM_WORLD_SIZE: "3",
  };
  const ends = await Promise.all(
    ["0", "1", "2"].map((rank) => start([SCRIPT.href], { ...all, OMPI_COMM_WORLD_RANK: rank })),
  );
  assertEquals(ends.map(({ code, error }) => [code, error]), [[0, ""], [0, ""], [0, ""]]);
  assertEquals(ends.map(({ out }) => out), ["3 processes, 768 values", "", ""]);
});

Deno.test("the task worker runs the script in process 0 of srun, and serves it in the others", async () => {
  const all = { SCHEMOE_TOKEN: newToken(), MASTER_PORT: `${freePort()}`, SLURM_NTASKS: "2" };
  const ends = await Promise.all(
    ["0", "1"].map((rank) => start([TASK.href, SCRIPT.pathname], { ...all, SLURM_PROCID: rank })),
  );
  assertEquals(ends.map(({ code, error }) => [code, error]), [[0, ""], [0, ""]]);
  assertEquals(ends.map(({ out }) => out), ["2 processes, 512 values", ""]);
});

Deno.test("the task worker says what is missing", async () => {
  const alone = await start([TASK.href], {});
  assertEquals(alone.code, 1);
  assertMatch(alone.error, /^Cannot start a worker: no launcher's variables are set/);
  const zero = await start([TASK.href], { RANK: "0", WORLD_SIZE: "2" });
  assertMatch(zero.error, /^Cannot start process 0 as a worker/);
  const open = await start([TASK.href], { RANK: "1", WORLD_SIZE: "2" });
  assertMatch(open.error, /^Cannot join processes without a secret: set SCHEMOE_TOKEN/);
});
