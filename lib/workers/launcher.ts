/** What mpirun, srun and torchrun tell the processes that they start. @module */
import { aFunction, expect } from "../arguments/mod.ts";
import { quoted } from "../words.ts";
import { SchemoeError } from "../types.ts";

/** Place of this process among all that were started together. */
export interface Launcher {
  /** Number of this process; 0 drives the others. */
  readonly process: number;
  /** Number of all processes. */
  readonly processes: number;
  /** Where process 0 listens. */
  readonly host: string;
  /** TCP port at which process 0 listens. */
  readonly port: number;
  /** Secret that all of them present; undefined when none was given. */
  readonly token?: string;
}

const PROCESS = ["RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"];
const PROCESSES = ["WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS"];
const LOOPBACK = "127.0.0.1";
/** The port that torchrun uses. */
const PORT = 29500;
const MOST_PROCESSES = 1024;

/** All variables that are looked at. */
export const LAUNCHER_VARIABLES: readonly string[] = [
  ...PROCESS,
  ...PROCESSES,
  "MASTER_ADDR",
  "MASTER_PORT",
  "SCHEMOE_TOKEN",
  "TORCHELASTIC_USE_AGENT_STORE",
];

/**
 * Reads the variables of torchrun (`RANK`, `WORLD_SIZE`), Open MPI, MPICH or Slurm, the first of these
 * that are set, with `MASTER_ADDR` (default this machine only), `MASTER_PORT` (default 29500; the one
 * after it where torchrun's agent has that itself) and `SCHEMOE_TOKEN`. Undefined when no launcher started this process.
 *
 * @throws {SchemoeError} naming the variable that is not usable.
 */
export function launcher(variable: (name: string) => string | undefined): Launcher | undefined {
  expect("launcher", "variable", variable, aFunction);
  const get = (name: string): string | undefined => {
    const value: unknown = variable(name);
    if (value === undefined || typeof value === "string") return value;
    throw new SchemoeError(
      `Cannot use the launcher's variables: ${name} is ${quoted(value)}, not text`,
    );
  };
  const find = (names: readonly string[]) => names.find((name) => get(name) !== undefined);
  const [process, processes] = [find(PROCESS), find(PROCESSES)];
  if (process === undefined && processes === undefined) return undefined;
  if (process === undefined || processes === undefined) {
    const missing = process === undefined ? PROCESS : PROCESSES;
    throw new SchemoeError(
      `Cannot use the launcher's variables: ${process ?? processes} is set, but none of ${
        missing.join(", ")
      }`,
    );
  }
  const count = whole(processes, get(processes)!, 1, MOST_PROCESSES);
  // torchrun's agent itself listens at MASTER_PORT then.
  const port = whole("MASTER_PORT", get("MASTER_PORT") ?? String(PORT), 0, 65535);
  return {
    process: whole(process, get(process)!, 0, count - 1),
    processes: count,
    host: get("MASTER_ADDR") || LOOPBACK,
    port: port + Number(port > 0 && get("TORCHELASTIC_USE_AGENT_STORE") === "True"),
    token: get("SCHEMOE_TOKEN"),
  };
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) {
    return value;
  }
  throw new SchemoeError(
    `Cannot use the launcher's variables: ${name} is "${text}", not a whole number from ${least} to ${most}`,
  );
}
