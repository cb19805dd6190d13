/** Faults of ranks on GPUs over NCCL, in one process and in two. @module */
import { cudaRunner, openCudaEngine, openNativeCuda } from "../../engines/cuda.ts";
import { topology } from "../../topology.ts";
import type { NativeEngine } from "../../native/engine.ts";
import type { Engine } from "../../engine.ts";
import { benchFaults } from "./faults.ts";
import { clusterText, openCluster, openDelayed, optionsOf } from "./nccl_engine.ts";
import type { Cluster } from "./options.ts";
import type { Report } from "./report.ts";
import { openConnections, shutDown } from "../faults/sockets.ts";
import { bitsOf, type Fault, FAULT_TEXT, layerBits, tryFaults } from "../faults/faults.ts";

const GIB = 2 ** 30;
/** Seconds that a hang may last, and that one lasts which nobody ends. */
const HANG = 2;
const EVER = 1000;

/** Reports of both kinds of fault. */
export async function benchNcclFaults(cluster: Cluster): Promise<Report[]> {
  const note = (text: string) => console.error(text);
  const { ranksPerNode, devices } = cluster;
  // First, since what goes wrong in this process may leave it without its GPU.
  const processes = await benchFaults({ kind: "cuda", ranksPerNode, devices }, { note });
  const expected = await bitsOf(openCluster(cluster, { transport: "copy" }));
  const rows = await tryFaults(faultsOf(cluster), expected, note);
  const text = clusterText(cluster);
  return [
    { configuration: { ...text, engine: "cuda", processes: 1, ...FAULT_TEXT }, rows },
    { ...processes, configuration: { ...text, ...processes.configuration } },
  ];
}

/** Faults in one process. */
function faultsOf(cluster: Cluster): Record<string, Fault> {
  const { nodes, ranksPerNode, emulateNodes } = cluster;
  const ranks = nodes * ranksPerNode;
  const culprit = ranks - 2;
  /** An engine, one of whose ranks does not get done. */
  const waiting = () =>
    openDelayed(
      cluster,
      { transport: "nccl" },
      ({ lane }, rank) => lane === "compute" && rank === culprit ? EVER : undefined,
    );
  const again = {
    after: "new engine",
    works: () => bitsOf(openCluster(cluster, { transport: "nccl" })),
  };
  const faults: Record<string, Fault> = {
    hang: disturbed(again, {
      did: `a rank that never comes to the all-to-all, with a time limit of ${HANG} s`,
      limit: HANG + 1,
      says: new RegExp(`Cannot finish the run in ${HANG} s: task .* on rank ${culprit} `),
      open: waiting,
      cause(engine, begin) {
        begin();
        return layerBits(engine, { timeLimit: HANG });
      },
    }),
    memory: exhausted(cluster, culprit),
    blocks: {
      did: `${ranks} ranks of 64 blocks a communicator`,
      limit: 10,
      ...again,
      says: /Cannot use NCCL: \d+ ranks x 2 communicators x 64 blocks are \d+ on GPU/,
      cause: () =>
        refusal(() =>
          openCudaEngine({ ...optionsOf(cluster, { transport: "nccl" }), maxCTAs: 64 })
        ),
    },
    streams: {
      did: "11 ranks on one GPU",
      limit: 10,
      ...again,
      says: /Cannot use NCCL: 11 ranks on GPU \d+ have 33 streams, and it has 32 queues/,
      cause: () =>
        refusal(() =>
          openCudaEngine({
            topology: topology({ nodes: 1, ranksPerNode: 11 }),
            transport: "nccl",
            devices: Array<number>(11).fill(cluster.devices[0]),
          })
        ),
    },
  };
  return emulateNodes ? { ...faults, connections: cutOff(waiting, again) } : faults;
}

/** A fault of an engine, which is closed before a new one is opened. */
function disturbed(
  again: Pick<Fault, "after" | "works">,
  { open, cause, ...rest }: Pick<Fault, "did" | "limit" | "says"> & {
    readonly open: () => Engine;
    readonly cause: (engine: Engine, begin: () => void) => Promise<unknown>;
  },
): Fault {
  let engine: Engine | undefined;
  return {
    ...rest,
    ...again,
    async cause(begin) {
      engine = open();
      await cause(engine, begin);
    },
    works() {
      engine?.close();
      return again.works();
    },
  };
}

/** Nodes of one process that lose each other. */
function cutOff(waiting: () => Engine, again: Pick<Fault, "after" | "works">): Fault {
  let others = new Set<number>();
  return disturbed(again, {
    did: "all connections between the nodes end in a run",
    limit: 5,
    says: /NCCL reports .* on rank \d+ \(int(er|ra) lane\)/,
    open() {
      others = openConnections();
      return waiting();
    },
    async cause(engine, begin) {
      const running = layerBits(engine, { timeLimit: 30 });
      running.catch(() => {});
      await new Promise((done) => setTimeout(done, 1000));
      begin();
      shutDown(openConnections().difference(others));
      await running;
    },
  });
}

/** A rank takes what memory there is; once it gives it back, its engine goes on. */
function exhausted(cluster: Cluster, rank: number): Fault {
  const options = optionsOf(cluster, { transport: "nccl" });
  const ids: number[] = [];
  let native: NativeEngine | undefined;
  return {
    did: "one rank takes 4 GiB again and again",
    limit: 20,
    after: "same engine",
    says: new RegExp(`no memory for ${4 * GIB} bytes on rank ${rank}, \\d+ of \\d+ are free`),
    cause(begin) {
      const opened = native = openNativeCuda(options).native;
      const sizes = Array.from(
        { length: options.topology.ranks },
        (_, i) => i === rank ? 4 * GIB : 0,
      );
      begin();
      return refusal(() => {
        for (;;) ids.push(opened.allocate(sizes));
      });
    },
    works: () => {
      for (const id of ids) native!.free(id);
      return bitsOf(cudaRunner(options, native!));
    },
  };
}

/** Rejects with what a call throws. */
async function refusal(call: () => unknown): Promise<void> {
  await Promise.resolve().then(call);
}
