/** Workers on this machine, started from a notebook or a script. @module */
import { SchemoeError } from "../types.ts";
import { Rendezvous } from "./rendezvous.ts";
import { checkOptions } from "./options.ts";
import { newToken } from "./token.ts";
import { Workers } from "./workers.ts";

const TIME_LIMIT = 30;
/** Milliseconds in which a worker may end by itself. */
const END_MS = 2000;
const MOST_WORKERS = 64;
const PROGRAM = new URL("../tasks/worker.ts", import.meta.url);

/**
 * Starts `count` further processes on this machine, which join this one as processes 1 to `count`.
 *
 * ```ts ignore
 * const workers = await spawnWorkers(1);
 * const engine = await workers.openEngine({ nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8, gate: topK({ k: 2 }) });
 * const run = await layer.forward({ scheduler: "optSche", allToAll: "pipe", chunks: 2 });
 * await workers.close();
 * ```
 * @param options.timeLimit seconds in which they must join; default 30.
 * @throws {SchemoeError} for an unknown option, and naming processes that did not join, with their output.
 */
export async function spawnWorkers(
  count: number,
  options: { timeLimit?: number } = {},
): Promise<Workers> {
  if (!Number.isInteger(count) || count < 1 || count > MOST_WORKERS) {
    throw new SchemoeError(
      `Cannot spawn ${count} workers: give a number from 1 to ${MOST_WORKERS}`,
    );
  }
  checkOptions(options, ["timeLimit"], "Cannot spawn the workers");
  const token = newToken();
  const processes = count + 1;
  const rendezvous = new Rendezvous({ token, processes });
  const children = Array.from({ length: count }, (_, i) =>
    new Child({
      RANK: `${i + 1}`,
      WORLD_SIZE: `${processes}`,
      SCHEMOE_TOKEN: token,
      MASTER_ADDR: rendezvous.host,
      MASTER_PORT: `${rendezvous.port}`,
    }));
  const end = async () => {
    await Promise.all(children.map((child) => child.end()));
  };
  try {
    const failed = Promise.race(children.map((child) => child.failed()));
    const members = await rendezvous.gather(options.timeLimit ?? TIME_LIMIT, failed);
    children.forEach((child) => child.joined = true);
    return new Workers({ members, host: rendezvous.host, token, end });
  } catch (error) {
    children.forEach((child) => child.kill());
    await end();
    throw error;
  }
}

/** A process that was started. */
class Child {
  joined = false;
  readonly #process: Deno.ChildProcess;
  readonly #printed: Promise<string>;
  readonly #ended: Promise<Deno.CommandStatus>;

  constructor(env: Record<string, string>) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-lock", "-A", PROGRAM.href],
      env,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#printed = new Response(this.#process.stderr).text();
    this.#ended = this.#process.status;
  }

  /** Rejects when it ends before it has joined. */
  async failed(): Promise<never> {
    const { code } = await this.#ended;
    const text = (await this.#printed).trim();
    if (this.joined) return await new Promise(() => {});
    throw new SchemoeError(
      `Cannot spawn a worker: process ${this.#process.pid} ended with status ${code}: ${text}`,
      { status: 10 },
    );
  }

  /** Resolves when it has ended, which is helped along where it does not. */
  async end(): Promise<void> {
    const timer = setTimeout(() => this.kill(), END_MS);
    await this.#ended;
    clearTimeout(timer);
    await this.#printed;
  }

  kill(): void {
    try {
      this.#process.kill("SIGKILL");
    } catch { /* it has ended */ }
  }
}
