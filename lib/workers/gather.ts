/** Workers that a launcher or a person started. @module */
import { SchemoeError } from "../types.ts";
import { serveWorker } from "./join.ts";
import { type Launcher, launcher, LAUNCHER_VARIABLES } from "./launcher.ts";
import { Rendezvous } from "./rendezvous.ts";
import { checkOptions } from "./options.ts";
import { checkToken } from "./token.ts";
import { Workers } from "./workers.ts";

const TIME_LIMIT = 60;

/** Options of {@linkcode gatherWorkers}; each overrides the launcher's variable. */
export interface GatherOptions extends Partial<Launcher> {
  /** Seconds in which all must join; default 60. */
  readonly timeLimit?: number;
}

/**
 * In process 0, listens and resolves once all others have joined. In another process of mpirun, srun or
 * torchrun it never returns: it serves process 0, and ends the process when that lets it go. So a
 * script that begins with it can be started by such a launcher as it is.
 *
 * Only this machine can join unless `host` or `MASTER_ADDR` names another address of process 0. All
 * must have the same `SCHEMOE_TOKEN`, which is never sent: each side proves that it knows it. All else
 * travels unencrypted and can be changed on the way: between machines, use a network that you trust.
 *
 * ```ts ignore
 * const workers = await gatherWorkers();
 * const engine = await workers.openEngine({ ranksPerNode: 2 });
 * ```
 * @throws {SchemoeError} for an unknown option, and naming the processes that did not join, and who was
 *   turned away.
 */
export async function gatherWorkers(options: GatherOptions = {}): Promise<Workers> {
  const known = ["timeLimit", "process", "processes", "host", "port", "token"];
  checkOptions(options, known, "Cannot gather the workers");
  const { timeLimit = TIME_LIMIT, ...given } = options;
  const place = { ...launcher(environment), ...defined(given) };
  const { process = 0, processes, host = "127.0.0.1", port = 0 } = place;
  if (processes === undefined || !Number.isInteger(processes) || processes < 1) {
    throw new SchemoeError(
      `Cannot gather the workers: give their number, as in gatherWorkers({ processes: 2 }), or start ` +
        `all processes with mpirun, srun or torchrun`,
    );
  }
  const token = checkToken(place.token ?? environment("SCHEMOE_TOKEN"));
  if (process > 0) {
    await serveWorker({ process, processes, host, port, token, timeLimit });
    Deno.exit(0);
  }
  const rendezvous = new Rendezvous({ host, port, token, processes });
  const members = await rendezvous.gather(timeLimit);
  return new Workers({ members, host, token });
}

/** A variable, or undefined where it may not be read; asking for one could prompt. */
export function environment(variable: string): string | undefined {
  if (!LAUNCHER_VARIABLES.includes(variable)) return undefined;
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" ? Deno.env.get(variable) : undefined;
}

function defined<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}
