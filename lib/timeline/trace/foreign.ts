/**
 * Traces of other programs, PyTorch's profiler before all: which slices are rows, and of what.
 * @module
 */
import { SchemoeError } from "../../types.ts";
import { GrowingLookup, GrowingNumbers } from "../table/growing.ts";
import { positiveOf, shown, textOf } from "./fields.ts";
import { type TraceHead, traceHead } from "./head.ts";
import type { TraceText } from "./json.ts";
import { communicates, functionPath, isNccl, shortName } from "./kernel_names.ts";
import {
  collectiveOf,
  type GpuWork,
  gpuWorkOf,
  LEGACY_GPU_PROCESS,
  messageBytes,
  NCCL,
  sentOverLinks,
} from "./kineto.ts";
import type { TraceRow } from "./rows.ts";
import { type Slice, SliceReader, threadKey } from "./slices.ts";

/** Names of kernels: parts of them, or patterns. */
export type KernelNames = readonly (string | RegExp)[];

/** Which kernels communicate, where their names do not say so. */
export interface KernelOptions {
  readonly communication?: KernelNames;
  readonly computation?: KernelNames;
}

/** The slices of one file that become rows; times in microseconds as in the file. */
export interface ForeignTrace extends TraceHead {
  readonly file: string;
  readonly rows: ForeignRows;
  /** Processes in the order in which they come, and those among them that ran kernels. */
  readonly processes: readonly string[];
  readonly computing: ReadonlySet<string>;
  /** Whether the rows are GPU work, or all slices because there is none. */
  readonly gpu: boolean;
}

/** Kind and name of a row. */
type Work = Pick<TraceRow, "lane" | "kind" | "name" | "label" | "bytes">;

/** Rows of one file. */
export class ForeignRows {
  readonly process = new GrowingLookup<string>();
  readonly begin = new GrowingNumbers();
  readonly duration = new GrowingNumbers();
  readonly bytes = new GrowingNumbers();
  readonly lane = new GrowingLookup<string>();
  readonly kind = new GrowingLookup<string>();
  readonly name = new GrowingLookup<string>();
  readonly label = new GrowingLookup<string>();

  add({ process, begin, duration }: Slice, { lane, kind, name, label, bytes }: Work): void {
    this.process.push(process);
    this.begin.push(begin);
    this.duration.push(duration);
    this.bytes.push(bytes);
    this.lane.push(lane);
    this.kind.push(kind);
    this.name.push(name);
    this.label.push(label);
  }
}

/** Reads one file: what ran on GPUs, or all slices when nothing did. */
export function readForeign(text: TraceText, file: string, options: KernelOptions): ForeignTrace {
  let rows = new ForeignRows();
  let gpu = false;
  // Events beside the GPU's may be damaged: nobody needs them.
  let problem: Slice | undefined;
  const computing = new Set<string>();
  const kernels = kernelTable(options);
  const reader = new SliceReader(file, (slice) => {
    const work = gpuWorkOf(slice.category) ??
      (slice.process === LEGACY_GPU_PROCESS ? "kernel" : undefined);
    if (work) {
      if (slice.problem !== undefined) reader.fail(slice.number, slice.problem);
      if (!gpu) [gpu, rows] = [true, new ForeignRows()];
      if (work === "kernel") computing.add(slice.process);
      const row = gpuRow(slice, work, kernels);
      if (!(row.bytes <= Number.MAX_SAFE_INTEGER)) {
        reader.fail(
          slice.number,
          `(${shown(slice.name)}) moves ${row.bytes} bytes, more than 2^53`,
        );
      }
      rows.add(slice, row);
    } else if (!gpu) {
      if (slice.problem !== undefined) problem ??= slice;
      else {
        const { name, process, thread } = slice;
        const lane = reader.threads.get(threadKey(process, thread)) ?? `thread ${thread}`;
        rows.add(slice, { lane, kind: "opaque", bytes: 0, name, label: kernels(name).label });
      }
    }
  });
  for (const events of text.events()) reader.read(events);
  reader.finish();
  if (!gpu && problem) reader.fail(problem.number, problem.problem!);
  if (rows.begin.length === 0) {
    throw new SchemoeError(
      `Cannot import the trace ${file}: it has no slices (events "X", or pairs of "B" and "E")`,
    );
  }
  const processes = rows.process.distinct();
  return { file, rows, processes, computing, gpu, ...traceHead(text, file) };
}

/** Kind of a kernel by its name. */
interface KernelName {
  readonly label: string;
  readonly path: string;
  readonly communicates: boolean;
  /** Whether the caller's `communication` names it. */
  readonly named: boolean;
  /** `nccl` for NCCL and the libraries with its names. */
  readonly library: string;
}

/** Names are many times the same: each is looked at once. */
function kernelTable({ communication = [], computation = [] }: KernelOptions) {
  const known = new Map<string, KernelName>();
  const among = (list: KernelNames, name: string) =>
    list.some((one) => typeof one === "string" ? name.includes(one) : name.search(one) >= 0);
  return (name: string): KernelName => {
    let found = known.get(name);
    if (!found) {
      const named = among(communication, name);
      found = {
        label: shortName(name),
        path: functionPath(name),
        named,
        communicates: named || (communicates(name) && !among(computation, name)),
        library: isNccl(name) ? "nccl" : "communication",
      };
      known.set(name, found);
    }
    return found;
  };
}

/** Kind of GPU activity. */
function gpuRow(
  { name, args, thread }: Slice,
  work: GpuWork,
  kernels: (name: string) => KernelName,
): Work {
  const kernel = kernels(name);
  const { label } = kernel;
  if (work !== "kernel") {
    const bytes = positiveOf(args.bytes);
    // copies between GPUs, by a name that says so: each moves a rank's own data
    return kernel.named
      ? {
        name,
        label,
        lane: `copy stream ${textOf(args.stream) || thread}`,
        kind: "allToAll",
        bytes,
      }
      : { name, label, lane: "copy", kind: work, bytes };
  }
  const given = textOf(args[NCCL.collective]);
  if (given === "" && !kernel.communicates) {
    return { name, label, lane: "compute", kind: "opaque", bytes: 0 };
  }
  const collective = collectiveOf(given || kernel.path);
  const group = positiveOf(args[NCCL.groupSize]) || 1;
  const library = given === "" ? kernel.library : "nccl";
  return {
    name,
    label: collective.name,
    kind: collective.kind,
    lane: `${library} stream ${textOf(args.stream) || thread}`,
    bytes: sentOverLinks(collective, messageBytes(args), group),
  };
}
