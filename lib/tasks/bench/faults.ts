/** Faults of several processes: who is named and how soon, and whether a new engine works. @module */
import { openEngine } from "../../engines/mod.ts";
import { topology } from "../../topology.ts";
import type { Engine } from "../../engine.ts";
import { SchemoeError, type Topology } from "../../types.ts";
import type { Workers } from "../../workers/mod.ts";
import type { Report } from "./report.ts";
import {
  changedIds,
  changedProgram,
  notAMessage,
  overNative,
  tooLarge,
  wrongToken,
} from "../faults/messages.ts";
import type { Change, FaultProxy } from "../faults/proxy.ts";
import { PROCESSES, Stage } from "../faults/stage.ts";
import { bitsOf, type Fault, FAULT_TEXT, layerBits, tryFaults } from "../faults/faults.ts";

/** The processes that are disturbed, one a node. */
export interface FaultWorld {
  readonly kind: "cpu" | "cuda";
  readonly ranksPerNode: number;
  /** `cuda`: GPU of each rank. */
  readonly devices?: readonly number[];
}

/** Seconds of silence that are put up with. */
const PATIENCE = 3;
/** Seconds that a look at a silent process takes more. */
const LOOK = 2;
/** Seconds for a worker that is not let in. */
const JOINING = 4;
/** Who the errors must name. */
const PROCESS = "process 1 \\(pid \\d+ on .*, ranks? \\d+";

/** A row for each fault, or for the named ones. */
export async function benchFaults(
  world: FaultWorld = { kind: "cpu", ranksPerNode: 2 },
  { names, note }: { names?: readonly string[]; note?: (text: string) => void } = {},
): Promise<Report> {
  const { kind, ranksPerNode } = world;
  const chosen = Object.entries(faultsOf(world)).filter(([name]) => names?.includes(name) ?? true);
  const alone = openEngine({ kind, nodes: PROCESSES, ranksPerNode, links: "plain" });
  return {
    configuration: {
      engine: kind,
      processes: PROCESSES,
      ranks: PROCESSES * ranksPerNode,
      ...FAULT_TEXT,
      patience: `${PATIENCE} s`,
    },
    rows: await tryFaults(Object.fromEntries(chosen), await bitsOf(alone), note),
  };
}

/** Seconds until something is well under way: processes on GPUs take longer. */
interface Delays {
  readonly run: number;
  readonly opening: number;
}

const DELAYS: Readonly<Record<FaultWorld["kind"], Delays>> = {
  cpu: { run: 0.5, opening: 0.005 },
  // When NCCL has begun to connect the processes, and before it has.
  cuda: { run: 2, opening: 1 },
};

function faultsOf(world: FaultWorld): Record<string, Fault> {
  const { run, opening } = DELAYS[world.kind];
  const faults: Record<string, Fault> = {
    killed: fault(world, {
      did: "SIGKILL to a worker in a run",
      limit: PATIENCE,
      says: new RegExp(`${PROCESS}.*has ended or was killed`),
      cause: (stage, begin) => signalled(world, stage, { begin, signal: "SIGKILL", after: run }),
    }),
    stopped: fault(world, {
      did: "SIGSTOP to a worker in a run",
      limit: PATIENCE + LOOK,
      says: new RegExp(`${PROCESS}.*no sign of life`),
      cause: (stage, begin) => signalled(world, stage, { begin, signal: "SIGSTOP", after: run }),
    }),
    stoppedBefore: fault(world, {
      did: "SIGSTOP to a worker between two runs",
      limit: PATIENCE + LOOK,
      says: new RegExp(`${PROCESS}.*does not answer`),
      async cause(stage, begin) {
        const workers = await stage.workers();
        const engine = await open(world, workers);
        await layerBits(engine);
        Deno.kill(workers.pids[0], "SIGSTOP");
        begin();
        await layerBits(engine);
      },
    }),
    killedOpening: fault(world, {
      did: "SIGKILL to a worker while an engine is opened",
      limit: PATIENCE + LOOK,
      says: /process 1 \(pid \d+ on .*(has ended or was killed|does not answer)/,
      async cause(stage, begin) {
        const workers = await stage.workers();
        const opened = open(world, workers);
        opened.catch(() => {});
        await sleep(opening);
        Deno.kill(workers.pids[0], "SIGKILL");
        begin();
        await layerBits(await opened);
      },
    }),
    slow: fault(world, {
      did: "a rank that does not get done in the time limit of 2 s",
      limit: 4,
      says: new RegExp(`Cannot finish the run in 2 s: task .*\\[${PROCESS}`),
      lives: true,
      async cause(stage, begin) {
        const engine = await open(world, await stage.workers(), slowRanks(world));
        begin();
        await layerBits(engine, { timeLimit: 2 });
      },
    }),
    token: refused(world, wrongToken, {
      did: "a worker that joins with another token",
      says: /process 1 did not join.*its token is not the session's/,
    }),
    message: refused(world, notAMessage, {
      did: "a changed byte in the message of a worker that joins",
      says: /process 1 did not join.*it sent what is no message/,
    }),
    size: refused(world, tooLarge, {
      did: "a size of 1 GiB in the message of a worker that joins",
      says: /process 1 did not join.*a message of 1073741824 bytes, at most 4096 are allowed/,
    }),
    program: fault(world, {
      did: "a Program changed on its way to a worker, so that ranks disagree",
      limit: PATIENCE,
      says: new RegExp(`${PROCESS}.*has another one`),
      async cause(stage, begin) {
        const engine = await open(world, await stage.workers(changedProgram));
        begin();
        await layerBits(engine);
      },
    }),
  };
  return world.kind === "cuda" ? { ...faults, ids: ids(world), memory: memory(world) } : faults;
}

/** A fault of processes. */
interface Parts extends Pick<Fault, "did" | "limit" | "says"> {
  readonly cause: (stage: Stage, begin: () => void) => Promise<unknown>;
  /** Whether the processes go on, so that only the engine must be a new one. */
  readonly lives?: boolean;
}

function fault(world: FaultWorld, { cause, lives = false, ...rest }: Parts): Fault {
  const stage = new Stage();
  return {
    ...rest,
    cause: (begin) => cause(stage, begin),
    after: lives ? "new engine, same processes" : "new processes",
    async works() {
      if (!lives) await stage.end();
      return await bitsOf(open(world, await stage.workers()));
    },
    end: () => stage.end(),
  };
}

/** A message that process 0 does not take: the worker is turned away, and named as missing. */
function refused(world: FaultWorld, change: Change, given: Pick<Fault, "did" | "says">): Fault {
  return fault(world, {
    ...given,
    limit: JOINING + 1,
    cause(stage, begin) {
      begin();
      return stage.workers(change, JOINING);
    },
  });
}

/** What NCCL connects by is not what process 0 said. */
function ids(world: FaultWorld): Fault {
  let proxy: FaultProxy | undefined;
  const change = overNative(changedIds(), (opened) => proxy = opened);
  const made = fault(world, {
    did: "a changed byte in the ids of NCCL's communicators",
    limit: PATIENCE,
    says: new RegExp(`ids of process 0 have changed on their way \\(${PROCESS}`),
    async cause(stage, begin) {
      const workers = await stage.workers(change);
      begin();
      await open(world, workers);
    },
  });
  return { ...made, end: () => made.end!().then(() => proxy?.close()) };
}

/** A buffer so large that the last ranks, which are another process's, find no room on the GPU. */
function memory(world: FaultWorld): Fault {
  return fault(world, {
    did: "buffers that fill the GPU before the last ranks have theirs",
    limit: 10,
    says: new RegExp(`no memory for \\d+ bytes on rank \\d+.*${PROCESS}`),
    lives: true,
    async cause(stage, begin) {
      const engine = await open(world, await stage.workers());
      const bytes = Math.floor(freeBytes(engine) / (engine.topology.ranks - 1.5));
      begin();
      engine.workspace().ensure({ huge: bytes });
    },
  });
}

/** Free memory of the GPU, read from the error of a buffer that is too large for any. */
function freeBytes(engine: Engine): number {
  try {
    engine.workspace().ensure({ huge: 2 ** 45 });
  } catch (error) {
    const found = /, (\d+) of \d+ are free/.exec((error as Error).message);
    if (found) return Number(found[1]);
    throw error;
  }
  throw new SchemoeError("Cannot fill the GPU: it has 32 TiB");
}

/** A run that does not end by itself, and in the midst of it a signal to the worker. */
async function signalled(
  world: FaultWorld,
  stage: Stage,
  { begin, signal, after }: { begin: () => void; signal: Deno.Signal; after: number },
): Promise<void> {
  const workers = await stage.workers();
  const engine = await open(world, workers, slowRanks(world));
  const running = layerBits(engine);
  running.catch(() => {});
  await sleep(after);
  Deno.kill(workers.pids[0], signal);
  begin();
  await running;
}

/** The ranks of the other process compute too slowly to ever get done. */
function slowRanks({ ranksPerNode }: FaultWorld): Topology {
  const ranks = Array.from({ length: PROCESSES * ranksPerNode }, (_, rank) => rank);
  const speed = ranks.map((rank) => rank < ranksPerNode ? 1 : 1e-9);
  return topology({ nodes: PROCESSES, ranksPerNode, speed });
}

async function open(
  { kind, ranksPerNode, devices }: FaultWorld,
  workers: Workers,
  slow?: Topology,
): Promise<Engine> {
  return await workers.openEngine({
    kind,
    links: "plain",
    patience: PATIENCE,
    ...(slow ? { topology: slow, computation: "paced" } : { nodes: PROCESSES, ranksPerNode }),
    ...(kind === "cuda" ? { emulateNodes: true, devices } : {}),
  });
}

const sleep = (seconds: number): Promise<void> =>
  new Promise((done) => setTimeout(done, 1000 * seconds));
