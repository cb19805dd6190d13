/** The processes of one fault. @module */
import { newToken, spawnWorkers, Workers } from "../../workers/mod.ts";
import { Rendezvous } from "../../workers/rendezvous.ts";
import { type Change, FaultProxy } from "./proxy.ts";

/** Processes, with this one. */
export const PROCESSES = 2;
/** Seconds in which they must join. */
const JOINING = 30;

const PROGRAM = new URL("../worker.ts", import.meta.url);

export class Stage {
  #workers?: Workers;

  /**
   * The other processes, the same ones while they live; over a line that changes what it carries, if a
   * change is given, `joining` being the seconds in which they must join then.
   */
  async workers(change?: Change, joining: number = JOINING): Promise<Workers> {
    return this.#workers ??= change
      ? await overProxy(change, joining)
      : await spawnWorkers(PROCESSES - 1);
  }

  /** Ends them, whatever state they are in; later ones are new. */
  async end(): Promise<void> {
    const workers = this.#workers;
    this.#workers = undefined;
    // A stopped one would keep its GPU busy until it is given up.
    workers?.pids.forEach(kill);
    await workers?.close();
  }
}

/** A worker, started as torchrun would, whose connection to this process is a proxy's. */
async function overProxy(change: Change, joining: number): Promise<Workers> {
  const token = newToken();
  const rendezvous = new Rendezvous({ token, processes: PROCESSES });
  const proxy = new FaultProxy(rendezvous.port, change);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-lock", "-A", PROGRAM.href],
    env: {
      RANK: "1",
      WORLD_SIZE: `${PROCESSES}`,
      SCHEMOE_TOKEN: token,
      MASTER_ADDR: "127.0.0.1",
      MASTER_PORT: `${proxy.port}`,
    },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const end = async () => {
    kill(child.pid);
    await child.status;
    await proxy.close();
  };
  try {
    return new Workers({
      members: await rendezvous.gather(joining),
      host: rendezvous.host,
      token,
      end,
    });
  } catch (error) {
    await end();
    throw error;
  }
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch { /* it has ended */ }
}
