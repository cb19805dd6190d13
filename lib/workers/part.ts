/** A native engine of some ranks of a world, connected with the engines of other processes. @module */
import { transportArguments } from "../engines/cuda.ts";
import { NativeEngine, type OpenNative } from "../native/engine.ts";
import { libraryPath, openLibrary } from "../native/library.ts";
import { findNccl } from "../native/nccl.ts";
import { setCudaEnvironment } from "../native/environment.ts";
import { FailureRecord } from "../native/failure.ts";

/** Bytes of a `schemoe_process`, and where its host begins. */
export const PROCESS_BYTES = 64;
export const HOST_OFFSET = 16;

/** Ranks that one process runs. */
export interface Span {
  readonly first: number;
  readonly ranks: number;
}

/** Where the native engine of a process listens. */
export interface Endpoint extends Span {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
}

/** What {@linkcode PartEngine} is opened with. */
export interface PartOptions {
  readonly nodes: number;
  readonly ranksPerNode: number;
  readonly span: Span;
  /** Address to listen at. */
  readonly host: string;
  /** 32 bytes that all engines of the world prove to know. */
  readonly key: Uint8Array<ArrayBuffer>;
  /** Ranks on GPUs, if given, and not on the CPU. */
  readonly gpus?: GpuPart;
}

/** How the ranks of a process use its GPUs. */
export interface GpuPart {
  readonly tf32?: boolean;
  readonly emulateNodes?: boolean;
  readonly maxCTAs?: number;
  /** Path of NCCL's library; default: what this process finds. */
  readonly nccl?: string;
  /** GPU of each of the process's ranks; default: in blocks over all that it sees. */
  readonly devices?: readonly number[];
  /** This process is number `slot` of `slots` on its machine, which share its GPUs; default 0 of 1. */
  readonly slot?: number;
  readonly slots?: number;
}

/** See `schemoe_open_part`. */
export class PartEngine extends NativeEngine {
  /** Port at which it waits for the others. */
  readonly port: number;
  /** Version of NCCL, on GPUs. */
  readonly nccl?: string;

  constructor(options: PartOptions) {
    const port = new Uint32Array(1);
    const host = new TextEncoder().encode(`${options.host}\0`);
    const { nodes, ranksPerNode, span, key, gpus } = options;
    const place = [span.first, span.ranks, host, key, port] as const;
    const onCpu: OpenNative = (library) => (config, out, failure) =>
      library.schemoe_open_part(config, ...place, out, failure);
    const opened = gpus ? onGpus(gpus, place) : { kind: "cpu" as const, open: onCpu };
    super({ nodes, ranksPerNode, ...opened });
    this.nccl = "nccl" in opened ? opened.nccl : undefined;
    this.port = port[0];
  }

  /** Connects with all others; `patience` seconds are what this, and any later answer, may take. */
  async connect(all: readonly Endpoint[], self: number, patience: number): Promise<void> {
    const table = new Uint8Array(PROCESS_BYTES * all.length);
    const view = new DataView(table.buffer);
    for (const [i, { first, ranks, port, pid, host }] of all.entries()) {
      const at = PROCESS_BYTES * i;
      [first, ranks, port, pid].forEach((value, f) => view.setUint32(at + 4 * f, value, true));
      // The last byte stays 0.
      new TextEncoder().encodeInto(host, table.subarray(at + HOST_OFFSET, at + PROCESS_BYTES - 1));
    }
    const failure = new FailureRecord();
    const limit = BigInt(Math.round(patience * 1e9));
    failure.unwrap(
      await this.library.schemoe_connect(
        ...[this.handle, table, all.length, self, limit] as const,
        failure.bytes,
      ),
    );
  }

  /** This process's clock in nanoseconds, what to add for that of another, and how wrong that may be. */
  async clock(process: number): Promise<{ now: bigint; offset: bigint; error: number }> {
    const [now, offset, wrong] = [
      new BigUint64Array(1),
      new BigInt64Array(1),
      new BigUint64Array(1),
    ];
    const failure = new FailureRecord();
    failure.unwrap(
      await this.library.schemoe_clock(
        ...[this.handle, process, now, offset, wrong] as const,
        failure.bytes,
      ),
    );
    return { now: now[0], offset: offset[0], error: Number(wrong[0]) };
  }

  /** The next run has that number and begins at that time of this process's clock. */
  expect(run: number, start: bigint): void {
    const failure = new FailureRecord();
    failure.unwrap(
      this.library.schemoe_expect(this.handle, BigInt(run), start, failure.bytes),
    );
  }
}

/** First rank, number of ranks, host, key, and where the port is written to. */
type Place = readonly [
  ...[number, number, Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>],
  Uint32Array<ArrayBuffer>,
];

/** How an engine of ranks on GPUs is opened. */
function onGpus(gpus: GpuPart, place: Place) {
  setCudaEnvironment({ nccl: true, emulateNodes: gpus.emulateNodes });
  const library = openLibrary(libraryPath("cuda"));
  const nccl = findNccl(library, gpus.nccl);
  const given = transportArguments(gpus, nccl, gpus);
  const open: OpenNative = (library) => (config, out, failure) =>
    library.schemoe_open_cuda_part(config, ...given, ...place, out, failure);
  return { kind: "cuda" as const, tf32: gpus.tf32, library, nccl: nccl.version, open };
}
